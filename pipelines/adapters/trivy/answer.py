"""Answer: what Trivy printed and how it ended, taken for an answer or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pipelines.adapters.trivy.database import SCHEMA, UPDATE
from pipelines.adapters.trivy.process import Done
from pipelines.ports import NoVerdict

FINDINGS = 10
"""Exit status for vulnerabilities found. Trivy's own failures are 1, those of Go's runtime 2."""

_LOOK = "look at what is in the image: is the list of its packages gone, or has it a line of more than 131,072 characters?"


def inventory(done: Done) -> bytes:
    """CycloneDX as it printed it. Raises NoVerdict."""
    if done.status:
        raise failed(done, "say what is in the image")
    bom = _json(done.out) or {}
    if bom.get("bomFormat") != "CycloneDX":
        raise NoVerdict("what Trivy printed is not CycloneDX", "use the pinned version of Trivy")
    components = bom.get("components") or ()
    systems = {one.get("name") for one in components if one.get("type") == "operating-system"}
    listed = {each.get("value") for one in components for each in one.get("properties") or () if str(each.get("name")).endswith(":PkgType")}
    if missing := systems - listed:
        raise NoVerdict(f"Trivy recognised {', '.join(sorted(map(str, missing)))}, but none of its packages", _LOOK)
    return done.out


def scanner(done: Done) -> str:
    """`trivy 0.76.0`, where what it printed is a whole report. Raises NoVerdict."""
    if done.status not in (0, FINDINGS):
        raise failed(done, "judge it")
    report = _json(done.out)
    if report is None or report.get("SchemaVersion") != SCHEMA:
        raise NoVerdict("what Trivy printed is not a report", "run it again; if that happens again, report it with the version of Trivy")
    try:
        _must_be_whole(report, done.status)
        return f"trivy {report['Trivy']['Version']}"
    except (AttributeError, KeyError, TypeError):
        raise NoVerdict("Trivy's report lacks what reports have", "use the pinned version of Trivy") from None


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _must_be_whole(report: Mapping[str, Any], status: int) -> None:
    """What it says by its exit status, it says in its report; and it recognised something. Silence about nothing is no pass."""
    results = report.get("Results") or ()
    found = any(one.get("Vulnerabilities") for one in results)
    if found is not (status == FINDINGS):
        raise NoVerdict("Trivy's exit status and its report do not say the same", "use the pinned version of Trivy")
    if not any(one.get("Packages") for one in results):
        raise NoVerdict("Trivy recognised no package, so that its silence says nothing", _LOOK)
    os = ((report.get("Metadata") or {}).get("OS") or {}).get("Family")
    if os and not any(one.get("Packages") for one in results if one.get("Class") == "os-pkgs"):
        raise NoVerdict(f"Trivy recognised {os}, but none of its packages, so that its silence says nothing", _LOOK)


def failed(done: Done, what: str) -> NoVerdict:
    """Why, by its status and the last that it said."""
    said = done.err.strip().splitlines()
    last = next((line.strip() for line in reversed(said) if "FATAL" in line or "fatal error" in line), said[-1].strip() if said else "")
    shown = "".join(char if char.isprintable() else " " for char in last)[-600:]
    if done.status < 0 or "out of memory" in done.err or "memory" in last:
        why = f"was ended by signal {-done.status}" if done.status < 0 else "ran out of memory"
        return NoVerdict(f"Trivy could not {what}: it {why}" + (f" ({shown})" if shown else ""), "give it more memory, or run it again")
    if "java" in last.lower() and "first run" in last:
        return NoVerdict(f"Trivy could not {what}: it has no database for Java, and the image has JAR files", f"{UPDATE} --java")
    fix = (
        "check the network and the repository of the database"
        if "fetch" in what
        else "run it again; `fleet images database update` where the database is damaged"
    )
    return NoVerdict(f"Trivy could not {what}: exit status {done.status}" + (f", {shown}" if shown else ""), fix)
