"""What CI does, by hand: jobs that build without the lock, one that writes it, and a fork's that pushes nothing. All real."""

from __future__ import annotations

import json
import os
import re

from pipelines.adapters.registry import AuthFiles, OciRegistry, Settings
from tests.engines.trivy_db import debian
from tests.images.story.shop import Shop, image, outcomes
from tests.pipelines.build.workshop import BOTH, publish_base

CRITICAL = debian("CVE-2099-0001", "openssl", "CRITICAL", "3.9.9-1")


def built(shop: Shop, *arguments: str, code: int = 0) -> dict[str, dict[str, str]]:
    done = shop.fleet("images", *arguments, "-o", "json")
    assert done.code == code, done.err
    return {one["image"]: one for one in json.loads(done.out)}


def test_jobs_build_beside_one_another_and_one_of_them_writes_the_lock(shop: Shop):
    system = built(shop, "build", "system", "--no-lock", "--platform", "linux/amd64")
    app = built(shop, "build", "app", "--no-lock", "--platform", "linux/amd64")
    assert (system["system"]["outcome"], app["system"]["outcome"], app["app"]["outcome"]) == ("built", "from cache", "built")
    assert not (shop.root / "fleet.lock").exists()
    assert not any(tag.startswith("20") for tag in shop.tags("app"))

    first = shop.fleet("images", "lock")
    assert first.code == 3
    assert "side: failed at look up  it is not in the cache, and not to be built here" in first.err
    assert "help: fleet images build side" in first.err
    assert set(shop.lock.images) == {"system", "app"}

    built(shop, "build", "side", "--no-lock")
    second = built(shop, "lock")
    assert outcomes(second) == {"system": "unchanged", "app": "unchanged", "side": "from cache"}
    assert {name: builds.current.digest for name, builds in shop.lock.images.items()} == {
        name: one["digest"] for name, one in {**second, **app, **system}.items()
    }
    before = shop.lock
    assert set(outcomes(built(shop, "lock")).values()) == {"unchanged"}
    assert shop.lock == before


def test_what_is_locked_is_judged_that_day(shop: Shop):
    built(shop, "build", "app", "--no-lock")
    shop.vulnerable(CRITICAL)
    done = shop.fleet("images", "lock", "app")
    assert done.code == 1
    assert "CRITICAL CVE-2099-0001" in done.err
    assert not (shop.root / "fleet.lock").exists() or not shop.lock.images


def test_a_fork_builds_and_is_judged_and_pushes_nothing(shop: Shop):
    made = built(shop, "build", "app", "side", "--no-push", "--reports", "reports")
    assert set(outcomes(made).values()) == {"built"}
    assert not (shop.root / "fleet.lock").exists()
    assert not any(shop.tags(name) for name in ("system", "app", "side", "cache/system", "cache/app", "cache/roots"))
    assert {path.name for path in (shop.root / "reports").iterdir()} == {
        f"{name}.{kind}" for name in ("app", "side") for kind in ("cdx.json", "verdict.json", "sarif", "log")
    }
    pushed = shop.build("app")
    assert {name: one["digest"] for name, one in pushed.items()} == {name: made[name]["digest"] for name in ("system", "app")}


def test_reports_say_what_fails_and_where_to_change_it(shop: Shop):
    shop.vulnerable(CRITICAL)
    built(shop, "build", "system", "--no-lock", "--reports", "reports", code=1)
    (run,) = json.loads((shop.root / "reports/system.sarif").read_bytes())["runs"]
    assert run["automationDetails"]["id"] == "image-system/"
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("CVE-2099-0001", "error")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "images/system/Dockerfile"
    assert run["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == "9.5"
    verdict = json.loads((shop.root / "reports/system.verdict.json").read_bytes())
    assert (verdict["passed"], verdict["counts"]["fails"]) == (False, {"CRITICAL": 1})
    sbom = json.loads((shop.root / "reports/system.cdx.json").read_bytes())
    assert "openssl" in {one["name"] for one in sbom["components"]}


def test_bad_arguments_are_told_before_anything_is_built(shop: Shop):
    for arguments, says in (
        (("--platform", "linux/arm64"), "app is not for linux/arm64"),
        (("--machine", "nowhere"), "there is no machine nowhere"),
        (("--reports", "fleet.yaml"), "is a file"),
    ):
        done = shop.fleet("images", "build", "app", *arguments)
        assert done.code == 2
        assert says in done.err
        assert "app: build" not in done.err


async def test_two_machines_build_a_platform_each_and_the_lock_names_an_index(shop: Shop):
    name = f"{shop.host}/{shop.path}/both:1"
    registry = OciRegistry(Settings(AuthFiles((), os.environ)))
    await publish_base(registry, shop.root.parent / "both", name, *BOTH)
    await registry.close()
    shop.write(
        "fleet.yaml",
        re.sub(r"\{engine: (\w+)\}", f"{{engine: \\1, platforms: [{', '.join(BOTH)}]}}", (shop.root / "fleet.yaml").read_text()),
    )
    shop.write("specs/images/system.yaml", image("system", f"{{registry: {name}}}"))
    shop.write(
        "images/system/Dockerfile",
        f"FROM {name}\nCOPY entry /entry\nCOPY os-release debian_version /etc/\nCOPY status /var/lib/dpkg/status\nUSER 1000:1000\n",
    )
    shop.commit("for both")

    first = built(shop, "build", "system", "--platform", BOTH[0], "--no-lock", "--reports", "reports")
    assert outcomes(first) == {"system": "built in part"}
    early = shop.fleet("images", "build", "app", "--platform", BOTH[1], "--no-push")
    assert "app: skipped  system is not in the cache yet for" not in early.err  # both are there then: one from the cache, one built here
    assert outcomes(built(shop, "build", "system", "--platform", BOTH[1], "--no-lock")) == {"system": "built"}
    assert outcomes(built(shop, "build", "app", "--no-lock")) == {"system": "from cache", "app": "built"}
    assert set(outcomes(built(shop, "lock", "app")).values()) == {"from cache"}
    assert {path.name for path in (shop.root / "reports").iterdir()} >= {"system-linux-amd64.cdx.json", "system-linux-amd64.sarif"}

    shown = shop.inspected("app", shop.lock.images["app"].current.digest)
    assert [one["platform"]["architecture"] for one in shown["manifests"]] == ["amd64", "arm64"]
    below = shop.inspected("system", shop.lock.images["system"].current.digest)
    for above, parent in zip(shown["manifests"], below["manifests"], strict=True):
        lower = shop.inspected("system", parent["digest"])["layers"]
        assert shop.inspected("app", above["digest"])["layers"][: len(lower)] == lower


def test_an_audit_reads_the_build_that_the_lock_names(shop: Shop):
    shop.build("app")
    assert shop.fleet("images", "audit", "app").code == 0
    shop.write("specs/images/app.yaml", image("app", "{image: system}", "  audit: {packages: [openssl, ffmpeg]}\n"))
    done = shop.fleet("images", "audit", "app")
    assert done.code == 1, done.err
    assert done.out.splitlines()[0].startswith("error: the package ffmpeg is missing")
    assert "fix: images/app/Dockerfile: add: RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg" in done.out
    found = json.loads(shop.fleet("images", "audit", "app", "-o", "json").out)
    assert [gap["name"] for gap in found["gaps"]] == ["ffmpeg"]
    assert shop.fleet("images", "plan").out.startswith("  ")  # what is audited makes no other build
