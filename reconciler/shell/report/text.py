"""Findings as text: `file:line:col: error[CODE] path: message`, what to do below, and one summary line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.model.findings import Finding, Pointer, Severity

_COLORS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.INFO: "\x1b[1;36m"}
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def text(findings: Iterable[Finding], *, color: bool = False) -> str:
    """All findings, in the order given, and how many there are."""
    found = tuple(findings)
    return "".join(f"{line(finding, color=color)}\n" for finding in found) + summary(found) + "\n"


def line(finding: Finding, *, color: bool = False) -> str:
    """One finding with its help."""
    path = dotted(finding.place.pointer)
    head, tone = f"{finding.severity}[{finding.code}]", _COLORS[finding.severity]
    place = visible(str(finding.place))
    message = f"{visible(path)}: {visible(finding.message)}" if path else visible(finding.message)
    told = f"{_BOLD}{place}:{_PLAIN} {tone}{head}{_PLAIN} {message}" if color else f"{place}: {head} {message}"
    if not finding.fix:
        return told
    return f"{told}\n    {_DIM}help:{_PLAIN} {visible(finding.fix)}" if color else f"{told}\n    help: {visible(finding.fix)}"


def summary(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning.`, or that there is nothing."""
    found = tuple(findings)
    counts = {severity: sum(finding.severity is severity for finding in found) for severity in Severity}
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "remark"}
    parts = [f"{count} {words[severity]}{'' if count == 1 else 's'}" for severity, count in counts.items() if count]
    return ", ".join(parts) + "." if parts else "No findings."


def dotted(pointer: Pointer) -> str:
    """A pointer as people write it: `spec.ports.http`, `spec.tools["web.search"]`, `spec.dependsOn[0]`."""
    path = ""
    for part in pointer:
        if isinstance(part, str) and _WORD.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{part}]" if isinstance(part, int) else '["' + part.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return path


def visible(words: str) -> str:
    """Control characters and marks of direction written out: paths and messages quote what strangers wrote."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", words)
