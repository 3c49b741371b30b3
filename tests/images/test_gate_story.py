"""The gate from end to end: a real registry, the real Trivy with a database of our own, commands as people type them; only the builder copies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.shell.equipment import now
from tests.engines.trivy_db import debian
from tests.images.commands.hut import Hut
from tests.images.story.shop import image as spec
from tests.images.story.shop import outcomes

CRITICAL = debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1")
NEVER = debian("CVE-2099-0003", "zlib", "CRITICAL")


@pytest.fixture
def edited(hut: Hut) -> Hut:
    """Built once, locked and committed; then one line in the context of `app` changed."""
    hut.build()
    hut.commit("the lock")
    hut.write("images/app/Dockerfile", (hut.root / "images/app/Dockerfile").read_text() + "COPY more /srv/more\n")
    hut.write("images/app/more", "more\n")
    hut.commit("more")
    hut.builder.built.clear()
    return hut


def system(hut: Hut, gate: str) -> None:
    """The gate of the image that brought the Debian packages."""
    hut.write("specs/images/system.yaml", spec("system", f"{{registry: {hut.host}/{hut.path}/upstream:12}}", gate))


def waiver(days: int) -> str:
    until = (now().date() + timedelta(days=days)).isoformat()
    return f"  gate: {{waivers: {{CVE-2099-0001: {{owner: ana, reason: not reachable, until: {until}}}}}}}\n"


def refused(hut: Hut, *says: str, code: int = 1) -> None:
    """A build of `app` fails, says so, and nothing that could be deployed came of it."""
    lock, tags = hut.locked, hut.tags("app")
    done = hut.fleet("images", "build", "app")
    assert done.code == code, done
    assert [text for text in says if text not in done.err] == [], done.err
    assert hut.locked == lock
    assert hut.tags("app") == tags


def test_a_critical_fails_the_gate_until_somebody_waives_it_and_again_when_that_is_over(edited: Hut) -> None:
    hut, lock = edited, edited.locked
    hut.vulnerable(CRITICAL)
    refused(hut, "fix in system (1 image inherits it):", "CRITICAL CVE-2099-0001 in libssl3 (3.0.11-1~deb12u1 -> 3.0.13-1)")
    assert hut.builder.built == ["app"]

    system(hut, waiver(days=20))
    passed = hut.build("app")
    assert outcomes(passed) == {"system": "unchanged", "app": "from cache"}
    assert hut.builder.built == ["app"], "a waiver is no reason to build again"
    tag = passed["app"]["tag"]
    assert {tag, "prev", f"{tag}-prev"} <= hut.tags("app")
    assert hut.lock.images["app"].current.digest == passed["app"]["digest"]

    (hut.root / "fleet.lock").write_bytes(lock or b"")
    yesterday = (now().date() - timedelta(days=1)).isoformat()
    system(hut, waiver(days=-1))
    refused(hut, f"the waiver in system ended on {yesterday}")
    assert hut.builder.built == ["app"]


def test_what_has_no_fix_fails_too_unless_the_spec_says_that_a_warning_is_enough(edited: Hut) -> None:
    hut = edited
    hut.vulnerable(NEVER)
    refused(hut, "CRITICAL CVE-2099-0003 in zlib1g (1:1.2.13.dfsg-1, no fix yet)")
    hut.write("specs/images/app.yaml", spec("app", "{image: system}", "  gate: {unfixed: warn}\n"))
    done = hut.fleet("images", "build", "app")
    assert done.code == 0, done
    assert "CVE-2099-0003" in done.err, "a warning is said"
    assert hut.builder.built == ["app"]


def test_without_a_database_there_is_no_verdict_and_nothing_is_locked(edited: Hut) -> None:
    hut = edited
    (hut.root.parent / "trivy" / "db" / "trivy.db").unlink()
    refused(hut, "there is no verdict: Trivy has no database", code=3)
    hut.vulnerable(updated=now() - timedelta(days=8))
    refused(hut, "8 days ago, more than 7 days", code=3)
    hut.vulnerable(updated=now() - timedelta(days=2))
    done = hut.fleet("images", "build", "app", CI="true")
    assert (done.code, "more than 24 hours" in done.err) == (3, True)
    done = hut.fleet("images", "build", "app")
    assert (done.code, "the database of vulnerabilities is 2.0 days old" in done.err) == (0, True)
    assert hut.builder.built == ["app"]
