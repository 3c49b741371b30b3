"""From files to a lock and back: real registry, real buildah, real Trivy."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.engines.trivy_db import debian
from tests.images.builders.base import HEARD
from tests.images.story.shop import Shop, now, outcomes

CRITICAL = debian("CVE-2099-0001", "openssl", "CRITICAL", "3.9.9-1")


def test_first_everything_is_built_then_nothing_then_only_what_changed(shop: Shop):
    assert outcomes(shop.build()) == {"system": "built", "app": "built", "side": "built"}
    first = shop.lock
    assert set(first.images) == {"system", "app", "side"}
    assert shop.tags("app") == {first.images["app"].current.tag}

    assert set(outcomes(shop.build()).values()) == {"unchanged"}
    assert shop.lock == first

    shop.write("images/app/app", "second\n")
    shop.commit("the app changes")
    plan = shop.fleet("images", "plan").out
    assert "context changed: app" in plan
    assert "1 of 3 to look up or build" in plan
    assert outcomes(shop.build()) == {"system": "unchanged", "side": "unchanged", "app": "built"}
    second = shop.lock
    assert second.images["app"].previous == first.images["app"].current
    assert {"prev", f"{second.images['app'].current.tag}-prev"} <= shop.tags("app")


def test_going_back_to_prev_means_exactly_the_build_before(shop: Shop):
    shop.build()
    first = shop.lock.images["app"].current
    shop.write("images/app/app", "second\n")
    shop.commit("the app changes")
    shop.build("app")
    shop.commit("its lock")
    done = shop.fleet("rollback", "web", "--to", "prev", "--reason", "5xx after the bump")
    assert done.code == 0, done.err
    plan = json.loads(shop.fleet("plan", "--against", "HEAD~1", "-o", "json").out)
    images = [change for step in plan["steps"] for change in step.get("changes", ()) if change["path"].endswith("/image")]
    assert [change["after"] for change in images] == [f"{shop.host}/{shop.path}/app@{first.digest}"]


def test_the_same_files_are_the_same_image_however_cold_the_builder(shop: Shop):
    shop.build()
    first = {name: builds.current.digest for name, builds in shop.lock.images.items()}
    assert set(outcomes(shop.build("--force")).values()) == {"built"}
    assert {name: builds.current.digest for name, builds in shop.lock.images.items()} == first


def test_what_the_cache_has_is_not_built_again(shop: Shop):
    shop.build()
    before = shop.lock
    (shop.root / "fleet.lock").unlink()
    assert set(outcomes(shop.build()).values()) == {"from cache"}
    assert {name: builds.current.digest for name, builds in shop.lock.images.items()} == {
        name: builds.current.digest for name, builds in before.images.items()
    }


def test_a_critical_in_the_base_stops_it_and_what_starts_from_it(shop: Shop):
    shop.vulnerable(CRITICAL)
    assert outcomes(shop.build(code=1)) == {"system": "gate failed", "app": "skipped", "side": "skipped"}
    assert shop.lock.images == {}
    assert shop.tags("system") == set()

    until = now().date() + timedelta(days=30)
    waiver = f"  gate: {{waivers: {{CVE-2099-0001: {{owner: ana, reason: not reachable, until: {until}}}}}}}\n"
    spec = (shop.root / "specs/images/system.yaml").read_text()
    shop.write("specs/images/system.yaml", spec + waiver)
    assert outcomes(shop.build()) == {"system": "from cache", "app": "built", "side": "built"}


def test_without_a_database_there_is_no_verdict_and_nothing_is_written(shop: Shop):
    shop.vulnerable(updated=now() - timedelta(days=400))
    built = shop.build("system", code=3)
    assert "no verdict" in built["system"]["about"]
    assert shop.lock.images == {}
    assert shop.tags("system") == set()


def test_a_step_that_fails_takes_only_its_descendants(shop: Shop):
    shop.write("images/side/Dockerfile", f"FROM system\nUSER 0:0\nRUN echo gone wrong >&2; {HEARD}; exit 7\nUSER 1000:1000\n")
    done = shop.fleet("images", "build")
    assert done.code == 3
    assert "side: failed at build" in done.err
    assert "gone wrong" in done.err
    assert set(shop.lock.images) == {"system", "app"}


def test_a_smoke_command_that_fails_is_never_judged(shop: Shop):
    spec = (shop.root / "specs/images/system.yaml").read_text()
    shop.write("specs/images/system.yaml", spec.replace("/etc/system", "/etc/nothing"))
    built = shop.build("system", code=3)
    assert built["system"]["outcome"] == "failed at try"
    assert shop.lock.images == {}


def test_a_registry_that_is_not_there_is_a_sentence(shop: Shop):
    shop.write("fleet.yaml", (shop.root / "fleet.yaml").read_text().replace(f"{shop.host}/{shop.path}", "127.0.0.1:9/x"))
    done = shop.fleet("images", "build")
    assert done.code == 3
    assert "127.0.0.1:9" in done.err
    assert shop.lock.images == {}


def test_a_lock_with_an_error_is_left_alone(shop: Shop):
    shop.write("fleet.lock", "lockVersion: 1\nimages: [\n")
    done = shop.fleet("images", "build")
    assert done.code == 1
    assert (shop.root / "fleet.lock").read_text() == "lockVersion: 1\nimages: [\n"


def test_a_from_that_disagrees_with_the_spec_is_refused_with_its_line(shop: Shop):
    shop.write("images/side/Dockerfile", "FROM app\nUSER 1000:1000\n")
    done = shop.fleet("images", "build")
    assert done.code == 1
    assert "images/side/Dockerfile:1:6" in done.err
