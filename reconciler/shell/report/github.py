"""Findings as annotations of GitHub Actions (workflow commands of the runner: `::error file=...::message`)."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.findings import Finding, Severity
from reconciler.shell.report.text import dotted, summary, visible

PER_STEP = 10
"""Annotations of each severity that GitHub shows of one step; the rest it drops without a word (actions/toolkit, problem-matchers.md)."""

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github(findings: Iterable[Finding]) -> str:
    """One annotation a finding, errors first, and a last line that says how many there are beyond those that GitHub shows."""
    found = tuple(findings)
    ranked = [finding for severity in Severity for finding in found if finding.severity is severity]
    hidden = sum(max(0, sum(finding.severity is severity for finding in found) - PER_STEP) for severity in Severity)
    last = summary(found)
    if hidden:
        last += f" GitHub shows {PER_STEP} annotations of a severity; {hidden} more stand in this log only."
    return "".join(f"{_annotation(finding)}\n" for finding in ranked) + last + "\n"


def _annotation(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.path, "line": place.line or 1, "col": place.column or 1, "title": finding.code}
    path = dotted(place.pointer)
    message = f"{path}: {finding.message}" if path else finding.message
    if finding.fix:
        message += f"\nhelp: {finding.fix}"
    told = ",".join(f"{name}={_property(visible(str(value)))}" for name, value in properties.items())
    lines = "\n".join(visible(line) for line in message.splitlines())
    return f"::{_COMMANDS[finding.severity]} {told}::{_data(lines)}"


def _data(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")
