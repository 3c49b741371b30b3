"""Bad input, case by case: which findings, where, and what they tell people to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.check import check
from reconciler.core.codes import documents, fleet, references, specs
from reconciler.core.parse import parse
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.shell.report.text import dotted
from tests.core.kinds import GROUND, KINDS, document, tree

WEB = "specs/services/platform/web.yaml"


def cases(name: str) -> list[Any]:
    text = (Path(__file__).parent / "cases" / f"{name}.yaml").read_text()
    return [pytest.param(case, id=case["name"].replace(" ", "-")) for case in yaml.safe_load(text)]


def content(given: Any) -> bytes:
    if isinstance(given, dict):
        given = given.get("begin", "") + given["repeat"] * given["times"] + given.get("end", "")
    return given if isinstance(given, bytes) else given.encode()


def judge(source: SourceTree, case: dict[str, Any], prefix: str = "") -> None:
    """All findings of the source are those of the case, in order, and nothing that stands is lost."""
    fleet = parse(source, KINDS)
    found = [finding for finding in check(fleet, KINDS, source) if finding.code.startswith(case.get("only", ""))]
    assert [(finding.code, str(finding.place)) for finding in found] == [
        (wanted["code"], prefix + wanted["at"]) for wanted in case["found"]
    ]
    assert "hides" not in case or case["hides"] not in str(found)
    for finding, wanted in zip(found, case["found"], strict=True):
        compare(finding, wanted)
    assert set(case.get("broken", ())) <= {str(ref) for ref in fleet.broken}
    assert not fleet.broken & fleet.resources.keys()
    for path in source.files:
        stands = any(resource.document.path == path for resource in fleet.resources.values())
        if path.startswith("specs/") and not stands and Path(path).name not in ("README.md", ".gitkeep"):
            assert any(finding.place.path == path and finding.is_error for finding in fleet.findings) or fleet.spec is None


def compare(finding: Finding, wanted: dict[str, Any]) -> None:
    assert wanted.get("says", "") in finding.message
    assert wanted.get("fix", "") in finding.fix
    assert finding.fix
    assert finding.severity == wanted.get("severity", "error")
    if "path" in wanted:
        assert dotted(finding.place.pointer) == wanted["path"]


@pytest.mark.parametrize("case", cases("documents"))
def test_document_is_refused_with_its_line(case: dict[str, Any]) -> None:
    judge(tree({WEB: content(case["spec"])}), case, WEB + ":")


@pytest.mark.parametrize("case", cases("specs"))
def test_spec_is_refused_with_its_line(case: dict[str, Any]) -> None:
    judge(tree({WEB: document("Service", "web", **case["fields"])}), case, WEB + ":")


@pytest.mark.parametrize("case", cases("sources"))
def test_source_is_refused_with_its_place(case: dict[str, Any]) -> None:
    files = {path: content(given) for path, given in case.get("given", {}).items() if given is not None}
    for name, fields in case.get("services", {}).items():
        files[f"specs/services/{name}.yaml"] = document("Service", name.split("/")[1], **fields)
    source = tree(files, refused=case.get("refused"))
    gone = {path for path, given in case.get("given", {}).items() if given is None}
    judge(SourceTree("r", False, {p: d for p, d in source.files.items() if p not in gone}, refused=source.refused), case)


def test_every_code_of_documents_and_references_has_a_case() -> None:
    wanted = {found["code"] for name in ("documents", "specs", "sources") for case in cases(name) for found in case.values[0]["found"]}
    ours = {code.id for area in (documents, fleet, references, specs) for code in area.CODES}
    assert ours - wanted == set()


def test_ground_of_the_cases_is_good() -> None:
    assert check(parse(tree({}), KINDS), KINDS, tree({})) == ()
    assert GROUND
