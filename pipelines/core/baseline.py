"""Baseline: waivers for what fails today and has no fix, in the spec of whoever brought it, so that what comes next stands out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pipelines.core.ends import PREFIX
from pipelines.core.judge import LONGEST_UNFIXED
from pipelines.core.visible import visible
from pipelines.core.waive import Entry
from pipelines.model.verdict import Allowance, Verdict

_NAME = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._+/:~-]{0,199}")
_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Za-z0-9]+)+")


class TooLong(ValueError):
    """A baseline may not reach so far ahead."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is to be written, and what is not."""

    entries: Mapping[str, tuple[Entry, ...]]
    """By image."""
    left: tuple[str, ...]
    """Sentences on what fails, has no fix, and is still left to a person."""


def baseline(verdicts: Iterable[Verdict], there: Iterable[Allowance], owner: str, reason: str, until: date, today: date) -> Baseline:
    """Waivers `while: unfixed`, by vulnerability and source package. `there`: those that the specs have now. Raises TooLong."""
    if until - today > LONGEST_UNFIXED:
        last = (today + LONGEST_UNFIXED).isoformat()
        raise TooLong(f"a baseline may be for {LONGEST_UNFIXED.days} days at most, until {last}, not until {until.isoformat()}")
    wanted: dict[tuple[str, str], set[str]] = {}
    left: set[str] = set()
    for verdict in verdicts:
        for one in verdict.failing:
            vulnerability, package = one.vulnerability, one.vulnerability.package
            if vulnerability.fixed or vulnerability.id.startswith(PREFIX):
                continue
            name = package.source or package.name
            if _NAME.fullmatch(name) and _ID.fullmatch(vulnerability.id):
                wanted.setdefault((one.owner, vulnerability.id), set()).add(name)
            else:
                left.add(f"{visible(vulnerability.id, 64)} in {visible(name)} of {one.owner}: a waiver cannot name it")
    known = {(one.image, one.id): one for one in there}
    entries: dict[str, list[Entry]] = {}
    for (image, id), names in sorted(wanted.items()):
        old = known.get((image, id))
        if old and not old.while_unfixed:
            left.add(
                f"{id} in {image} has a waiver of {visible(old.owner)} until {old.until.isoformat()} that does not cover it: decide again"
            )
        else:
            packages = tuple(sorted(names | set(old.packages if old else ())))
            entries.setdefault(image, []).append(Entry(id, owner, reason, until, packages, while_unfixed=True))
    return Baseline({image: tuple(many) for image, many in entries.items()}, tuple(sorted(left)))
