"""Findings as SARIF 2.1.0 (OASIS), as code scanning reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson

from reconciler.model.findings import Code, Finding, Severity
from reconciler.shell.report.text import dotted, visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST = 5_000
"""Results that GitHub keeps of one run (docs.github.com, SARIF results exceed one or more limits)."""
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Iterable[Finding], codes: Mapping[str, Code], version: str) -> str:
    """One run of this version of Fleetwright. Errors come first, so that a limit drops the least."""
    found = [finding for severity in Severity for finding in findings if finding.severity is severity]
    rules = sorted({finding.code for finding in found})
    places = {rule: index for index, rule in enumerate(rules)}
    seen: dict[str, int] = {}
    run = {
        "tool": {"driver": {"name": "Fleetwright", "version": version, "rules": [_rule(rule, codes.get(rule)) for rule in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, places[finding.code], seen) for finding in found[:MOST]],
    }
    return orjson.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, option=orjson.OPT_INDENT_2).decode() + "\n"


def _rule(id: str, code: Code | None) -> dict[str, Any]:
    if code is None:
        return {"id": id}
    rule: dict[str, Any] = {
        "id": id,
        "shortDescription": {"text": code.title},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
        "help": {"text": code.about or code.title},
    }
    return rule


def _result(finding: Finding, rule: int, seen: dict[str, int]) -> dict[str, Any]:
    path = dotted(finding.place.pointer)
    message = f"{path}: {finding.message}" if path else finding.message
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.place.path)}}
    if finding.place.line:
        location["region"] = {"startLine": finding.place.line, "startColumn": finding.place.column}
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": visible(f"{message}. Help: {finding.fix}" if finding.fix else message)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"fleetwright/v1": _fingerprint(finding, path, seen)},
    }


def _fingerprint(finding: Finding, path: str, seen: dict[str, int]) -> str:
    """The same for the same fault when lines move: code, file, path in it, and which of several."""
    identity = f"{finding.code}\n{finding.place.path}\n{path}"
    seen[identity] = seen.get(identity, 0) + 1
    return sha256(f"{identity}\n{seen[identity]}".encode()).hexdigest()
