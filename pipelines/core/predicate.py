"""Predicate: a verdict as canonical JSON, to be signed and kept, and back."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Any

import orjson

from pipelines.model.verdict import Allowance, Judged, Stance, Statement, Unmatched, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import Package, Vulnerability
from reconciler.model.canonical import dumps

TYPE = "https://fleetwright.dev/verdict/v1"
"""The predicate's type in an in-toto statement."""


class NotAVerdict(ValueError):
    """It cannot be read as a verdict."""


def verdict_json(verdict: Verdict) -> bytes:
    """The same verdict gives the same bytes. Numbers of vulnerabilities, then each of them."""
    return dumps(predicate(verdict))


def predicate(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a JSON value."""
    return {
        "type": TYPE,
        "image": verdict.image,
        "passed": verdict.passed,
        "day": verdict.day.isoformat(),
        "scanner": verdict.scanner,
        "database": verdict.database,
        "policy": verdict.policy,
        "counts": counts(verdict),
        "size": verdict.size,
        "budget": verdict.budget,
        "faults": list(verdict.faults),
        "vulnerabilities": [_plain(asdict(one)) for one in verdict.judged],
        "waivers": [_plain(asdict(one)) for one in verdict.waivers],
        "unmatched": [_plain(asdict(one)) for one in verdict.unmatched],
    }


def counts(verdict: Verdict) -> dict[str, dict[str, int]]:
    """By what the gate makes of them, how many of each severity."""
    tally: dict[str, Counter[str]] = {stance.value: Counter() for stance in Stance}
    for one in verdict.judged:
        tally[one.stance.value][one.vulnerability.level] += 1
    return {stance: dict(levels) for stance, levels in tally.items() if levels}


def read_verdict(data: bytes) -> Verdict:
    """What `verdict_json` wrote. Raises NotAVerdict, also where it says passed and its contents do not."""
    try:
        value = orjson.loads(data)
        if value["type"] != TYPE:
            raise NotAVerdict(f"it is not of the type {TYPE}")
        verdict = Verdict(
            str(value["image"]),
            date.fromisoformat(value["day"]),
            str(value["scanner"]),
            str(value["database"]),
            str(value["policy"]),
            tuple(map(_judged, value["vulnerabilities"])),
            tuple(WaiverUse(_allowance(one["allowance"]), Use(one["use"])) for one in value["waivers"]),
            tuple(Unmatched(_statement(one["statement"]), one["why"]) for one in value["unmatched"]),
            tuple(value["faults"]),
            value["size"],
            value["budget"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise NotAVerdict(f"it cannot be read as a verdict ({type(fault).__name__}: {fault})") from None
    if verdict.passed is not value["passed"]:
        raise NotAVerdict("what it says of passing is not what its vulnerabilities say")
    return verdict


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case date():
            return value.isoformat()
        case str():
            return str(value).encode("utf-8", "replace").decode()
        case _:
            return value


def _judged(one: dict[str, Any]) -> Judged:
    vulnerability = dict(one["vulnerability"])
    package = Package(**vulnerability.pop("package"))
    return Judged(Vulnerability(package=package, **vulnerability), one["owner"], Stance(one["stance"]), one["because"])


def _allowance(one: dict[str, Any]) -> Allowance:
    return Allowance(**{**one, "until": date.fromisoformat(one["until"]), "packages": tuple(one["packages"])})


def _statement(one: dict[str, Any]) -> Statement:
    return Statement(**{**one, "ids": tuple(one["ids"]), "packages": tuple(one["packages"])})
