"""One verdict and one SBOM of an image out of those of its platforms."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import orjson

from pipelines.core.predicate import read_verdict, verdict_json
from pipelines.core.sbom.canonical import canonical
from pipelines.core.sbom.join import PLATFORM, join
from pipelines.core.unite import unite
from pipelines.model.verdict import Allowance, Judged, Stance, Statement, Unmatched, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import Package, Vulnerability
from reconciler.model.canonical import dumps

EMPTY = Verdict("web", date(2026, 11, 21), "trivy 0.76.0", "2026-11-21T06:00:00Z", "sha256:p", ())
ALLOWANCE = Allowance("CVE-1-1", "web", "ana", "why", date(2026, 12, 1))
ODD = Unmatched(Statement("vex.json", ("CVE-9-9",), "pkg:oci/web", "fixed"), "no such package")


def judged(id: str, stance: Stance = Stance.PASSES, level: str = "LOW") -> Judged:
    return Judged(Vulnerability(id, level, Package("a", "1")), "web", stance)


def test_it_passes_when_each_does() -> None:
    bad = replace(EMPTY, judged=(judged("CVE-1-2", Stance.FAILS, "HIGH"),))
    good = replace(EMPTY, size=9, budget=10)
    large = replace(EMPTY, size=11, budget=10)
    unread = replace(EMPTY, faults=("vex.json is not there",))
    assert unite([EMPTY, EMPTY]).passed
    for wrong in (replace(bad, budget=10), large, replace(unread, budget=10)):
        assert not unite([good, wrong]).passed
        assert not unite([wrong, good]).passed


def test_what_both_have_counts_once_and_the_worst_comes_first() -> None:
    found = unite(
        [replace(EMPTY, judged=(judged("CVE-1-1"),)), replace(EMPTY, judged=(judged("CVE-1-1"), judged("CVE-1-3", level="CRITICAL")))]
    )
    assert [one.vulnerability.id for one in found.judged] == ["CVE-1-3", "CVE-1-1"]
    assert read_verdict(verdict_json(found)) == found


def test_a_waiver_that_one_platform_needs_is_needed() -> None:
    used, unused = (replace(EMPTY, waivers=(WaiverUse(ALLOWANCE, use),)) for use in (Use.USED, Use.UNUSED))
    for pair in ([used, unused], [unused, used]):
        assert [one.use for one in unite(pair).waivers] == [Use.USED]
    assert [one.use for one in unite([unused, unused]).waivers] == [Use.UNUSED]


def test_a_statement_that_one_platform_matches_is_no_stray() -> None:
    stray = replace(EMPTY, unmatched=(ODD,))
    assert unite([stray, EMPTY]).unmatched == ()
    assert unite([stray, stray]).unmatched == (ODD,)


def test_the_older_database_is_what_it_was_judged_by() -> None:
    assert unite([EMPTY, replace(EMPTY, database="2026-11-20T06:00:00Z")]).database == "2026-11-20T06:00:00Z"


def bom(*components: tuple[str, str], edges: dict[str, list[str]] | None = None) -> bytes:
    found = [
        {"bom-ref": name, "type": "library", "name": name, "version": version, "purl": f"pkg:deb/{name}@{version}"}
        for name, version in components
    ]
    depends = [{"ref": ref, "dependsOn": ends} for ref, ends in (edges or {}).items()]
    return canonical(dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": found, "dependencies": depends}), "web", {})


def test_components_of_all_stand_once_and_of_one_with_its_platform() -> None:
    amd = bom(("libc", "1"), ("gone", "1"), edges={"gone": ["libc"]})
    arm = bom(("libc", "1"), ("new", "2"), edges={"new": ["libc"]})
    made = orjson.loads(join({"linux/arm64": arm, "linux/amd64": amd}, "web"))
    names = {one["name"]: [pair["value"] for pair in one.get("properties", ()) if pair["name"] == PLATFORM] for one in made["components"]}
    assert names == {"libc": [], "gone": ["linux/amd64"], "new": ["linux/arm64"]}
    edges = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    assert edges["pkg:deb/gone@1#linux/amd64"] == edges["pkg:deb/new@2#linux/arm64"] == ["pkg:deb/libc@1"]
    assert sorted(edges["image"]) == ["pkg:deb/gone@1#linux/amd64", "pkg:deb/new@2#linux/arm64"]
    refs = [one["bom-ref"] for one in made["components"]]
    assert len(set(refs)) == len(refs)


def test_one_ref_that_means_two_things_is_two_components() -> None:
    amd, arm = bom(("libc", "1")), bom(("libc", "1"))
    other = orjson.loads(arm)
    other["components"][0]["licenses"] = [{"license": {"name": "another"}}]
    made = orjson.loads(join({"linux/amd64": amd, "linux/arm64": dumps(other)}, "web"))
    assert [one["bom-ref"] for one in made["components"]] == ["pkg:deb/libc@1#linux/amd64", "pkg:deb/libc@1#linux/arm64"]


def test_the_order_of_platforms_changes_nothing() -> None:
    amd, arm = bom(("a", "1"), ("b", "1")), bom(("a", "1"), ("c", "1"))
    assert join({"linux/amd64": amd, "linux/arm64": arm}, "web") == join({"linux/arm64": arm, "linux/amd64": amd}, "web")
