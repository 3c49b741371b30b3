"""Findings as JSON with a version: a minor step adds, a major one breaks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from reconciler.model.findings import Finding, Severity
from reconciler.shell.report.text import dotted

FORMAT_VERSION = "1.0"


def json(findings: Iterable[Finding]) -> str:
    """All findings in the order given, and how many of each severity."""
    found = tuple(findings)
    summary = {severity.value: sum(finding.severity is severity for finding in found) for severity in Severity}
    document = {"formatVersion": FORMAT_VERSION, "findings": [value(finding) for finding in found], "summary": summary}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def value(finding: Finding) -> dict[str, Any]:
    """One finding as a JSON value."""
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "file": place.path,
        "line": place.line,
        "column": place.column,
        "path": dotted(place.pointer),
        "pointer": "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place.pointer),
        "subject": str(finding.subject) if finding.subject else None,
        "message": finding.message,
        "fix": finding.fix,
    }
