"""The gate with the real Trivy and a database of our own: what it finds, and what we make of it."""

import json
import shlex
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.adapters.trivy import Settings, Trivy
from pipelines.core.gate import gate
from pipelines.core.judge import judge
from pipelines.core.predicate import read_verdict, verdict_json
from pipelines.core.report import read_report
from pipelines.core.sbom.bom import owners
from pipelines.core.sbom.canonical import canonical
from pipelines.core.tell import sentences
from pipelines.core.vex import read_vex
from pipelines.model.verdict import Policy, Subject, Verdict
from pipelines.model.vulnerability import Report
from pipelines.ports import ScanReport
from reconciler.kinds.image.spec import Gate
from reconciler.model.fleet import GateDefaults
from tests.engines import trivy_db
from tests.images.layouts import Deb, Layout, dist_info, dpkg, layout

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOON.date()
CASES = yaml.safe_load((Path(__file__).parent / "gate_cases.yaml").read_text())
DEBS = (Deb("libssl3", "3.0.11-1~deb12u1", "openssl"), Deb("zlib1g", "1:1.2.13.dfsg-1", "zlib"))
BASE = {**dpkg(*DEBS), **dist_info("pip", "23.0")}
WEB = {**dpkg(*DEBS, Deb("curl", "7.88.1-10")), **dist_info("requests", "2.19.0")}


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The parent's layer and the child's."""
    return layout(tmp_path_factory.mktemp("layout") / "web", [BASE, WEB])


@pytest.fixture
def trivy_with(trivy_program: Path, tmp_path: Path) -> Callable[..., Trivy]:
    def make(*advisories: trivy_db.Advisory) -> Trivy:
        return Trivy(Settings(trivy_program, trivy_db.write(tmp_path / "cache", advisories, NOON), lambda: NOON))

    return make


def advisory(line: str) -> trivy_db.Advisory:
    kind, *fields = shlex.split(line)
    return {"debian": trivy_db.debian, "python": trivy_db.python}[kind](*fields)


def policy(case: dict[str, Any]) -> Policy:
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": case.get("vex", [])}
    statements = read_vex("web.openvex.json", json.dumps(document, default=lambda when: when.isoformat()).encode())
    lineage = [(image, Gate.model_validate(case.get(image, {}))) for image in ("web", "base")]
    return gate(GateDefaults(), lineage, statements, budget=case.get("budget"))


def subject(web: Layout, case: dict[str, Any]) -> Subject:
    return Subject("web", dict(zip(web.diff_ids, ("base", "web"), strict=True)), case.get("size", 0))


def read(scan: ScanReport) -> Report:
    return read_report(scan.report, scan.scanner, scan.database)


def stances(verdict: Verdict) -> dict[str, str]:
    return {f"{one.vulnerability.id} {one.vulnerability.package.name} @{one.owner}": one.stance.value for one in verdict.judged}


@pytest.mark.parametrize("name", CASES)
async def test_the_gate_judges(name: str, web: Layout, trivy_with: Callable[..., Trivy]) -> None:
    case = CASES[name]
    trivy = trivy_with(*map(advisory, case["database"]))
    report = read(await trivy.scan(web.folder))
    verdict = judge(report, policy(case), subject(web, case), case.get("today", TODAY))
    said = "\n".join(sentences(verdict, {"base": 7}))
    assert (verdict.passed, stances(verdict)) == (case["passed"], case["stances"]), said
    assert {f"{one.allowance.image}/{one.allowance.id}": one.use.value for one in verdict.waivers} == case.get("uses", {})
    assert [one.why for one in verdict.unmatched] == case.get("unmatched", [one.why for one in verdict.unmatched])
    assert case.get("says", "") in said
    assert read_verdict(verdict_json(verdict)) == verdict

    sbom = canonical(await trivy.inventory(web.folder), "web", subject(web, case).owners)
    again = judge(read(await trivy.rescan(sbom)), policy(case), Subject("web", owners(sbom), case.get("size", 0)), case.get("today", TODAY))
    assert verdict_json(again) == verdict_json(verdict), "an SBOM is judged like the image that it describes"


async def test_what_is_scanned_and_when_is_said(web: Layout, trivy_with: Callable[..., Trivy]) -> None:
    scan = await trivy_with().scan(web.folder)
    assert (scan.scanner, scan.database) == ("trivy 0.76.0", "2026-11-21T12:00:00Z")
    report = read(scan)
    assert report.os == "debian 12.13"
    assert [(one.name, one.version, one.source, one.ecosystem) for one in report.packages] == [
        ("curl", "7.88.1-10", "curl", "deb"),
        ("libssl3", "3.0.11-1~deb12u1", "openssl", "deb"),
        ("pip", "23.0", "", "pypi"),
        ("requests", "2.19.0", "", "pypi"),
        ("zlib1g", "1:1.2.13.dfsg-1", "zlib", "deb"),
    ]


async def test_another_policy_is_another_hash(web: Layout, trivy_with: Callable[..., Trivy]) -> None:
    report = read(await trivy_with().scan(web.folder))
    hashes = {
        judge(report, policy(case), subject(web, {}), date(2026, 11, 21)).policy
        for case in ({}, {"web": {"failOn": ["LOW"]}}, {"web": {"unfixed": "warn"}}, {"budget": 1})
    }
    assert len(hashes) == 4
