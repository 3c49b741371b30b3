"""What an image lacks, from what was seen in it. Which packages have it is asked of the distribution afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from pipelines.core.audit import contents
from pipelines.core.audit.evidence import Evidence, Folders
from pipelines.core.audit.known import APART, STANDARD
from pipelines.core.audit.modules import distribution
from pipelines.core.audit.needs import NAMED, Need, Scene
from pipelines.model.audit import Audit, Gap, GapKind, Grade


class Findings(NamedTuple):
    """An audit whose libraries have no packages yet, and the names to look up."""

    audit: Audit
    alternatives: Mapping[str, tuple[str, ...]]
    """Library -> all names that would do, itself first."""


def judge(evidence: Evidence, folders: Folders) -> Findings:
    """Everything that is missing."""
    scene = Scene(evidence, folders)
    needs = [*scene.linked(), *scene.asked(), *scene.opened(), *scene.imported(), *scene.installed()]
    gaps = tuple(sorted(_merged(needs), key=_order))
    unread = {**evidence.faults, **scene.unread}
    audit = Audit(scene.system, gaps, unread=unread, sources=len(scene.parsed), objects=scene.objects)
    return Findings(audit, scene.alternatives)


def _order(gap: Gap) -> tuple[int, str, str]:
    return list(Grade).index(gap.grade), gap.kind, gap.name


def complete(findings: Findings, rows: Iterable[contents.Row]) -> Audit:
    """The audit with the packages that have each library. A name that code asks for and no package has is a note; one among
    the strings of a file is not worth a word.
    """
    known = tuple(rows)
    gaps = []
    for gap in findings.audit.gaps:
        if gap.kind is not GapKind.LIBRARY:
            gaps.append(gap)
            continue
        named = findings.alternatives.get(gap.name)
        developers = gap.grade is not Grade.NOTE
        packages = (contents.package(name, known, developers=developers) for name in named or (gap.name,))
        package = None if gap.detail else next((one for one in packages if one), None)
        if package is not None:
            gaps.append(replace(gap, add=(package,)))
        elif named is None or gap.grade is Grade.ERROR:
            gaps.append(gap)
        elif gap.grade is Grade.WARNING:
            gaps.append(replace(gap, grade=Grade.NOTE))
    return replace(findings.audit, gaps=tuple(sorted(gaps, key=_order)))


def _merged(needs: Iterable[Need]) -> Iterator[Gap]:
    """One gap a thing, by the worst of its grades; the files of that grade are named."""
    order = list(Grade)
    found: dict[tuple[GapKind, str], list[Need]] = {}
    for need in needs:
        found.setdefault((need.kind, need.name), []).append(need)
    for (kind, name), all_of_it in found.items():
        worst = min((need.grade for need in all_of_it), key=order.index)
        same = [need for need in all_of_it if need.grade is worst]
        first = min(same, key=lambda need: (need.detail, need.reason, need.by))
        add = () if first.reason == NAMED else _add(kind, name)
        yield Gap(kind, name, worst, tuple(sorted({need.by for need in same})), first.reason, add, first.detail)


def _add(kind: GapKind, name: str) -> tuple[str, ...]:
    """What to add, where that is known without asking the distribution."""
    match kind:
        case GapKind.PACKAGE:
            return (name,)
        case GapKind.MODULE if name in APART:
            return (APART[name],)
        case GapKind.MODULE if name in STANDARD:
            return ("libpython3-stdlib",)
        case GapKind.MODULE:
            return distribution(name)
        case GapKind.LIBRARY:
            return ()
