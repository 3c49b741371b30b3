"""`fleet images explain` tells what a build is, and only what the lock vouches for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from pipelines.core.attestation import verdict_statement
from pipelines.core.predicate import predicate
from pipelines.core.provenance import provenance_statement
from pipelines.core.tally import digest_of
from pipelines.flow.build.papers import put, sbom, statement
from pipelines.model.oci import Repository
from pipelines.model.trust import PROVENANCE, VERDICT
from pipelines.model.verdict import Allowance, Judged, Stance, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import Package, Vulnerability
from pipelines.ports import Denied
from reconciler.model.lock import Build
from tests.fleets import service
from tests.pipelines.commands.scene import DAY, HOST, Scene, provenance, waited
from tests.pipelines.commands.signing import env, trusting
from tests.pipelines.signing.scene import SBOM

WAIVER = Allowance("CVE-2026-1", "base", "ana", "not\x1b[31m reachable", date(2026, 12, 31))


def built(scene: Scene, name: str = "platform-own", tag: str = "20261120-5f140c9") -> Build:
    """A build whose verdict is whole: one vulnerability, waived."""
    image = scene.pushed(name, tag, tag)
    found = Vulnerability("CVE-2026-1", "HIGH", Package("libx", "1.0", purl="pkg:deb/debian/libx@1.0"))
    judged = Verdict(
        name,
        DAY,
        "trivy 0.76.0",
        "2026-11-20T06:00:00Z",
        digest_of(b"policy"),
        (Judged(found, "base", Stance.WAIVED, "waiver"),),
        (WaiverUse(WAIVER, Use.USED),),
    )
    origin = provenance_statement(image, provenance(name))
    said = verdict_statement(image, digest_of(SBOM), predicate(judged), digest_of(origin))
    waited(put(scene.registry, image, [sbom(SBOM), statement(origin, PROVENANCE), statement(said, VERDICT)]))
    return Build(image.digest, tag, digest_of(b"key"), DAY, digest_of(said), digest_of(SBOM))


def test_it_tells_from_which_commit_by_whom_why_it_passed_and_where_it_runs(scene):
    build = built(scene)
    scene.locked(**{"platform-own": (build,)})
    trusting(scene)
    scene.images("sign", **env())
    lines = scene.images("explain", build.digest).stdout.splitlines()
    assert lines[0] == f"platform-own 20261120-5f140c9 {build.digest}"
    told = {line.split()[0].rstrip(":"): line.partition(line.split()[0])[2].strip(": ").strip() for line in lines[1:]}
    assert told["commit"].startswith("git+https://git.example/acme/fleet gitCommit:5f140c9")
    assert told["by"] == "https://ci.example/acme/fleet/images.yml, https://ci.example/runs/7"
    assert told["gate"] == "passed on 2026-11-20 by trivy 0.76.0, database of 2026-11-20T06:00:00Z (1 waived)"
    assert told["waived"] == "CVE-2026-1 in base by ana until 2026-12-31: not\\x1b[31m reachable"
    assert told["checked"].startswith("it is signed by release-0")
    assert told["test"] == "current; run by platform/own"


def test_as_json_it_has_the_same(scene):
    build = built(scene)
    scene.locked(**{"platform-own": (build,)})
    found = json.loads(scene.images("explain", build.digest[7:17], "-o", "json").stdout)
    assert (found["verdict"]["passed"], found["verdict"]["waived"][0]["owner"]) == (True, "ana")
    assert found["origin"]["run"] == "https://ci.example/runs/7"
    assert found["environments"] == [{"environment": "test", "stands": "current", "runBy": ["Service/platform/own"], "held": []}]
    assert found["verified"] is None


def test_a_build_that_a_hold_brings_back_is_run_by_whom_it_holds(scene):
    old = replace(built(scene, tag="20261119-aaaaaaa"), built=date(2026, 11, 19))
    scene.locked(**{"platform-own": (built(scene), old)})
    held = service("own", extra="  forceImageTag: 20261119-aaaaaaa\n")
    scene.write("specs/services/platform/own.yaml", held.replace("  image: app", "  build: {image: top, context: images/own}"))
    assert "test: prev; run by platform/own (held)" in scene.images("explain", "platform-own:20261119-aaaaaaa").stdout
    assert "test: current; nothing runs it" in scene.images("explain", "platform-own:20261120-5f140c9").stdout


def test_papers_that_no_lock_names_are_not_believed(scene):
    build = replace(built(scene), key="", verdict="", sbom="")
    scene.locked(**{"platform-own": (build,)})
    result = scene.images("explain", build.digest)
    assert result.exit_code == 1
    assert "nobody vouches" in result.stdout
    assert "entered by hand" in result.stdout
    assert "ci.example" not in result.stdout


@pytest.mark.parametrize("lost", ["verdict", "provenance"])
def test_what_is_missing_is_said(scene, lost):
    build = built(scene)
    scene.locked(**{"platform-own": (build,)})
    home = Repository(HOST, "acme/platform-own")
    wanted = {"verdict": VERDICT, "provenance": PROVENANCE}[lost]
    for one in waited(scene.registry.referrers(home, build.digest)):
        if one.annotations.get("in-toto.io/predicate-type") == wanted:
            waited(scene.registry.delete(home, one.digest))
    result = scene.images("explain", build.digest)
    assert f"the {lost} that" in result.stdout
    assert result.exit_code == (1 if lost == "verdict" else 0)


def test_a_registry_that_does_not_answer_leaves_what_the_lock_knows(scene, monkeypatch):
    build = built(scene)
    scene.locked(**{"platform-own": (build,)})

    async def denied(*_: object) -> None:
        raise Denied("403", status=403)

    monkeypatch.setattr(scene.registry, "referrers", denied)
    result = scene.images("explain", build.digest)
    assert (result.exit_code, "the registry could not be asked: 403" in result.stdout) == (1, True)
    assert "commit   5f140c9, as its tag says" in result.stdout


def test_what_no_lock_names_and_what_may_be_several_is_refused(scene):
    build = built(scene)
    scene.locked(**{"platform-own": (build,), "base": (replace(build, tag="x"),)})
    for wanted, says in (
        ("sha256:" + "0" * 64, "no lock names"),
        ("web:latest", "no lock names"),
        ("abc", "no lock names"),
        (build.digest, "may be each of"),
    ):
        result = scene.images("explain", wanted)
        assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
