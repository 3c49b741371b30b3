"""Findings as text, annotations, SARIF and JSON."""

from __future__ import annotations

import json
import re

import pytest

from reconciler.core.codes import table
from reconciler.model.findings import Finding, Place, Severity
from reconciler.model.refs import Ref
from reconciler.shell.report.github import github
from reconciler.shell.report.json import json as as_json
from reconciler.shell.report.sarif import sarif
from reconciler.shell.report.text import dotted, line, text

PLACE = Place("specs/services/acme/web.yaml", 6, 3, ("spec", "replica"))
ERROR = Finding(
    "SPC001", Severity.ERROR, PLACE, Ref("Service", "web", "acme"), "there is no field `replica` here", "did you mean `replicas`?"
)
WARNING = Finding("REF007", Severity.WARNING, Place("a,b:c.yaml", 1, 2), None, "100% sure\nreally: yes, no")


def test_text_is_place_code_path_message_and_help() -> None:
    assert text([ERROR, WARNING]) == (
        "specs/services/acme/web.yaml:6:3: error[SPC001] spec.replica: there is no field `replica` here\n"
        "    help: did you mean `replicas`?\n"
        "a,b:c.yaml:1:2: warning[REF007] 100% sure\\u000areally: yes, no\n"
        "1 error, 1 warning.\n"
    )


def test_text_of_nothing_says_so() -> None:
    assert text([]) == "No findings.\n"
    assert text([ERROR, ERROR]).endswith("\n2 errors.\n")


def test_color_comes_only_when_told_and_changes_no_word() -> None:
    assert "\x1b" not in text([ERROR, WARNING])
    colored = text([ERROR, WARNING], color=True)
    assert "\x1b[1;31merror[SPC001]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == text([ERROR, WARNING])


def test_control_characters_of_strangers_never_reach_a_terminal() -> None:
    evil = Finding("FLT005", Severity.ERROR, Place("specs/\x1b[2J\u202e.yaml", 1, 1, ("\x07",)), None, "\x1b]0;x\x07", "\r")
    assert not re.search(r"[\x00-\x1f\u202e]", line(evil).replace("\n", ""))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", github([evil]))


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ((), ""),
        (("spec", "ports", "http"), "spec.ports.http"),
        (("spec", "dependsOn", 0), "spec.dependsOn[0]"),
        (("spec", "tools", "web.search", "risk"), 'spec.tools["web.search"].risk'),
        (("a b", 'c"d'), '["a b"]["c\\"d"]'),
    ],
)
def test_path_is_written_as_people_write_it(pointer: tuple[str | int, ...], path: str) -> None:
    assert dotted(pointer) == path


def test_annotations_are_escaped() -> None:
    lines = github([WARNING, ERROR]).splitlines()
    assert lines[0] == (
        "::error file=specs/services/acme/web.yaml,line=6,col=3,title=SPC001::"
        "spec.replica: there is no field `replica` here%0Ahelp: did you mean `replicas`?"
    )
    assert lines[1] == "::warning file=a%2Cb%3Ac.yaml,line=1,col=2,title=REF007::100%25 sure%0Areally: yes, no"
    assert lines[2] == "1 error, 1 warning."


def test_last_line_of_annotations_says_how_many_github_hides() -> None:
    many = [Finding("SPC001", Severity.ERROR, Place("a.yaml", row, 1), None, "x") for row in range(1, 14)]
    lines = github([WARNING, *many]).splitlines()
    assert [told.split(" ")[0] for told in lines[:-1]] == ["::error"] * 13 + ["::warning"]
    assert lines[-1] == "13 errors, 1 warning. GitHub shows 10 annotations of a severity; 3 more stand in this log only."


def test_sarif_has_what_code_scanning_needs() -> None:
    log = json.loads(sarif([WARNING, ERROR, ERROR], table(()), "1.2.3"))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["REF007", "SPC001"]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    first, second, last = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"], last["level"]) == ("SPC001", 1, "error", "warning")
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "specs/services/acme/web.yaml"
    assert location["region"] == {"startLine": 6, "startColumn": 3}
    assert first["partialFingerprints"] != second["partialFingerprints"]


def test_fingerprint_stays_when_lines_move() -> None:
    moved = Finding(ERROR.code, ERROR.severity, Place(PLACE.path, 60, 5, PLACE.pointer), ERROR.subject, ERROR.message, ERROR.fix)
    before, after = (json.loads(sarif([one], table(()), "1"))["runs"][0]["results"][0] for one in (ERROR, moved))
    assert before["partialFingerprints"] == after["partialFingerprints"]


def test_sarif_keeps_the_gravest_within_the_limit() -> None:
    many = [Finding("REF007", Severity.WARNING, Place("a.yaml", row, 1), None, "x") for row in range(1, 5001)]
    results = json.loads(sarif([*many, ERROR], table(()), "1"))["runs"][0]["results"]
    assert len(results) == 5000
    assert results[0]["ruleId"] == "SPC001"


def test_place_without_a_line_has_no_region() -> None:
    whole = Finding("FLT001", Severity.ERROR, Place("fleet.yaml"), None, "there is no fleet.yaml")
    location = json.loads(sarif([whole], table(()), "1"))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location == {"artifactLocation": {"uri": "fleet.yaml"}}
    assert text([whole]).startswith("fleet.yaml: error[FLT001] there is no fleet.yaml\n")


def test_json_is_versioned_and_whole() -> None:
    document = json.loads(as_json([ERROR]))
    assert document == {
        "formatVersion": "1.0",
        "findings": [
            {
                "code": "SPC001",
                "severity": "error",
                "file": "specs/services/acme/web.yaml",
                "line": 6,
                "column": 3,
                "path": "spec.replica",
                "pointer": "/spec/replica",
                "subject": "Service/acme/web",
                "message": "there is no field `replica` here",
                "fix": "did you mean `replicas`?",
            }
        ],
        "summary": {"error": 1, "warning": 0, "info": 0},
    }
