"""Tell: a verdict in plain sentences. Largest first, by the image that has to be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from pipelines.core.predicate import counts
from pipelines.core.visible import visible
from pipelines.model.verdict import Judged, Stance, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import LEVELS

MANY = 10
"""Lines about vulnerabilities of one image."""


def headline(verdict: Verdict) -> str:
    """One sentence: the image, whether it passed, how many vulnerabilities fail, warn, are waived."""
    tally = {stance: sum(levels.values()) for stance, levels in counts(verdict).items()}
    words = {
        Stance.FAILS: "fail",
        Stance.WARNS: "warn",
        Stance.WAIVED: "waived",
        Stance.UNAFFECTED: "not affected",
        Stance.PASSES: "below the gate",
    }
    said = [f"{tally[stance]} {word}" for stance, word in words.items() if tally.get(stance)]
    state = "passed" if verdict.passed else "failed"
    return f"{verdict.image}: {state} the gate" + (f" ({', '.join(said)})" if said else "")


def sentences(verdict: Verdict, heirs: Mapping[str, int]) -> Iterator[str]:
    """Why it failed, what warns, and what is to be said of waivers and VEX. `heirs`: by image, how many start from it, near or far."""
    yield headline(verdict)
    for fault in verdict.faults:
        yield f"  {visible(fault, 500)}"
    if verdict.is_too_large:
        yield f"  its layers have {verdict.size} bytes, {verdict.size - (verdict.budget or 0)} more than its sizeBudget"
    for stance in (Stance.FAILS, Stance.WARNS):
        yield from grouped([one for one in verdict.judged if one.stance is stance], heirs, verdict.image)
    for use in verdict.waivers:
        if said := _of_waiver(use, verdict.image):
            yield f"  {said}"
    for one in verdict.unmatched:
        yield f"  {visible(one.statement.file)}: the statement on {visible(one.statement.ids[0])} matches nothing: {visible(one.why)}"


def grouped(judged: Iterable[Judged], heirs: Mapping[str, int], image: str, limit: int = MANY) -> Iterator[str]:
    """Vulnerabilities by the image that brought them, the worst image first; one line for one id in one source package."""
    by_owner = _group(judged, lambda one: one.owner)
    for owner, mine in sorted(by_owner.items(), key=lambda pair: (-_rank(pair[1]), -len(pair[1]), pair[0])):
        yield (
            f"  fix in {owner}{_inherited(heirs.get(owner, 0))}:"
            if owner != image
            else f"  of {owner} itself{_inherited(heirs.get(owner, 0))}:"
        )
        lines = [_line(many) for many in _group(mine, lambda one: f"{one.vulnerability.id} {_of(one)}").values()]
        yield from lines[:limit]
        if len(lines) > limit:
            yield f"    and {len(lines) - limit} more"


def _group(judged: Iterable[Judged], key: Callable[[Judged], str]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    return groups


def _of(one: Judged) -> str:
    """What is updated: the source package, and what it would be updated from and to."""
    package = one.vulnerability.package
    return f"{package.source or package.name} {package.version} {one.vulnerability.fixed}"


def _rank(judged: list[Judged]) -> int:
    return max(LEVELS.index(one.vulnerability.level) for one in judged)


def _inherited(count: int) -> str:
    return f" ({count} image{'s inherit' if count != 1 else ' inherits'} it)" if count else ""


def _line(many: list[Judged]) -> str:
    one = many[0].vulnerability
    names = [name for name, _ in groupby(sorted(each.vulnerability.package.name for each in many))]
    shown = ", ".join(map(visible, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    step = (
        f"{visible(one.package.version, 60)} -> {visible(one.fixed, 60)}"
        if one.fixed
        else f"{visible(one.package.version, 60)}, no fix yet"
    )
    why = f"; {many[0].because}" if many[0].because else ""
    title = f": {visible(one.title, 80)}" if one.title else ""
    return f"    {one.level} {visible(one.id, 64)} in {shown} ({step}){why}{title}"


def _of_waiver(use: WaiverUse, image: str) -> str:
    one = use.allowance
    where = "" if one.image == image else f" in {one.image}"
    match use.use:
        case Use.USED:
            return ""
        case Use.UNUSED:
            return f"the waiver {one.id}{where} is not needed: take it out"
        case Use.EXPIRED:
            return f"the waiver {one.id}{where} of {visible(one.owner)} ended on {one.until.isoformat()}"
        case Use.FIXED:
            return f"the waiver {one.id}{where} is over: there is a fix now"
        case Use.TOO_LONG:
            return f"the waiver {one.id}{where} does not count: `while: unfixed` may reach 90 days ahead, it reaches to {one.until.isoformat()}"
