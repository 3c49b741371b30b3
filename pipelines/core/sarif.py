"""A verdict as SARIF 2.1.0 (OASIS), as GitHub's code scanning reads it: what fails and warns, at the file to change; what is waived, suppressed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson

from pipelines.core.visible import visible
from pipelines.model.verdict import Judged, Stance, Verdict
from pipelines.model.vulnerability import Vulnerability

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST = 5_000
"""Results that GitHub keeps of one run (docs.github.com, "SARIF results exceed one or more limits")."""
_LEVELS = {Stance.FAILS: "error", Stance.WARNS: "warning", Stance.WAIVED: "note"}
_SEVERITIES = {"CRITICAL": "9.5", "HIGH": "8.0", "MEDIUM": "5.5", "LOW": "2.0", "UNKNOWN": "0.0"}
"""As code scanning sorts them: critical from 9.0, high from 7.0, medium from 4.0 (docs.github.com, "reportingDescriptor object")."""


def verdict_sarif(verdict: Verdict, files: Mapping[str, str], version: str, category: str) -> bytes:
    """One run of one image. `files`: by image of the hierarchy, the file that has to be changed, from the repository's root.

    `category` keeps it apart from the runs of other images, whoever uploads them.
    """
    found = [one for stance in _LEVELS for one in verdict.judged if one.stance is stance][:MOST]
    by_id = {one.vulnerability.id: one.vulnerability for one in found}
    rules = {id: place for place, id in enumerate(sorted(by_id))}
    run = {
        "tool": {"driver": {"name": "Fleetwright", "version": version, "rules": [_rule(by_id[id]) for id in rules]}},
        "automationDetails": {"id": f"{category}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, rules[one.vulnerability.id], verdict.image, files) for one in found],
    }
    return orjson.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, option=orjson.OPT_INDENT_2) + b"\n"


def _rule(one: Vulnerability) -> dict[str, Any]:
    about = visible(one.title) or one.id
    rule: dict[str, Any] = {
        "id": one.id,
        "shortDescription": {"text": about},
        "help": {"text": f"{about}\n{visible(one.link, 500)}".strip()},
        "properties": {"security-severity": _SEVERITIES.get(one.level, "0.0"), "tags": ["security", "vulnerability"]},
    }
    return {**rule, "helpUri": one.link} if one.link.startswith("https://") and one.link.isprintable() else rule


def _result(one: Judged, rule: int, image: str, files: Mapping[str, str]) -> dict[str, Any]:
    found, package = one.vulnerability, one.vulnerability.package
    remedy = f"update to {found.fixed}" if found.fixed else "there is no fix yet"
    by = "" if one.owner == image else f", which {image} inherits"
    text = f"{found.level} {found.id} in {package.name} {package.version} of {one.owner}{by}: {remedy}"
    identity = f"{found.id}\n{package.name}\n{package.path}\n{one.owner}\n{image}"
    result: dict[str, Any] = {
        "ruleId": found.id,
        "ruleIndex": rule,
        "level": _LEVELS[one.stance],
        "message": {"text": visible(f"{text}; {one.because}" if one.because else text, 1000)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": quote(files.get(one.owner) or files[image])}, "region": {"startLine": 1}}}
        ],
        "partialFingerprints": {"fleetwright/v1": sha256(identity.encode("utf-8", "replace")).hexdigest()},
    }
    if one.stance is Stance.WAIVED:
        result["suppressions"] = [{"kind": "external", "justification": visible(one.because)}]
    return result
