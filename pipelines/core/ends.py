"""Ends: distributions and Pythons that get no security fixes any more, or soon. A scanner is silent about them, which looks like health."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from pipelines.core.releases import PYTHON, SYSTEMS
from pipelines.model.vulnerability import Package, Report, Vulnerability

PREFIX = "EOL-"
"""Of the ids: no one else gives such."""
SOON = timedelta(days=180)
"""So long before the end there is a warning."""

_SITE = re.compile(r"(?:^|/)lib/python(3\.\d{1,2})/")
_NAME = re.compile(r"python(3\.\d{1,2})(?:-minimal)?")


def ends(report: Report, today: date, layers: Sequence[str] = ()) -> Iterator[Vulnerability]:
    """A HIGH for what has ended, a MEDIUM for what soon will; waived like any other, by `EOL-PYTHON-3-10` or `EOL-DEBIAN-11`.

    `layers`: diff_ids, lowest first.
    """
    if report.os:
        family, _, version = report.os.partition(" ")
        first = _first((one for one in report.packages if not one.path), layers)
        yield from _end(SYSTEMS, _system(report.os), Package(family, version, layer=first.layer if first else ""), today)
    for version, packages in sorted(_pythons(report).items()):
        first = _first(packages, layers)
        assert first is not None
        yield from _end(PYTHON, version, Package("python", version, layer=first.layer, path=first.path), today)


def _end(known: Mapping[str, date], name: str, package: Package, today: date) -> Iterator[Vulnerability]:
    end = known.get(name)
    if end is None or today <= end - SOON:
        return
    called = name if known is SYSTEMS else f"python {name}"
    id = PREFIX + re.sub(r"[^A-Z0-9]+", "-", called.upper())
    level, verb = ("HIGH", "had") if today > end else ("MEDIUM", "has")
    newer = next((one for one, last in known.items() if last > today + SOON and one.split()[0] in (called.split()[0], one)), "")
    title = f"{called.capitalize()} {verb} its last day with security fixes on {end.isoformat()}"
    yield Vulnerability(id, level, package, newer.split()[-1] if newer else "", title)


def _system(os: str) -> str:
    """`debian 12.13` -> `debian 12`, `ubuntu 22.04` as it is."""
    family, _, version = os.partition(" ")
    return f"{family} {version.partition('.')[0] if family == 'debian' else version}"


def _first(packages: Iterable[Package], layers: Sequence[str]) -> Package | None:
    """The one in the lowest layer: what brought it first is where it is changed."""
    place = {layer: position for position, layer in enumerate(layers)}
    return min(packages, key=lambda one: (place.get(one.layer, len(place)), one), default=None)


def _pythons(report: Report) -> dict[str, list[Package]]:
    """Each Python by where its packages are installed, or by the distribution's package of it."""
    found: dict[str, list[Package]] = {}
    for package in report.packages:
        seen = _SITE.search(package.path) if package.path else _NAME.fullmatch(package.name)
        if seen:
            found.setdefault(seen[1], []).append(package)
    return found
