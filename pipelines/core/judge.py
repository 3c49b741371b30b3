"""Judge: a scanner's report, what the image must pass, and a day make a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pipelines.core.ends import ends
from pipelines.core.gate import policy_digest
from pipelines.core.vex import Vex
from pipelines.model.verdict import Allowance, Judged, Policy, Stance, Subject, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import LEVELS, Report, Vulnerability

LONGEST_UNFIXED = timedelta(days=90)
"""So far ahead a waiver for what has no fix may reach."""


def judge(report: Report, policy: Policy, subject: Subject, today: date) -> Verdict:
    """The verdict on an image. Who brought a vulnerability follows from the layer of its package."""
    vex = Vex(policy.statements, subject.image)
    waivers = _Waivers(policy.allowances, today)
    judged = []
    for one in (*report.vulnerabilities, *ends(report, today, tuple(subject.owners))):
        owner = subject.owners.get(one.package.layer, subject.image)
        stance, because = _stance(one, policy, vex, waivers)
        judged.append(Judged(one, owner, stance, because))
    return Verdict(
        subject.image,
        today,
        report.scanner,
        report.database,
        policy_digest(policy),
        tuple(sorted(judged, key=_largest_first)),
        tuple(sorted(waivers.uses(subject.image))),
        tuple(sorted(vex.unmatched(report.packages))),
        policy.faults,
        subject.size,
        policy.budget,
    )


def _largest_first(one: Judged) -> tuple[int, Vulnerability, str]:
    return -LEVELS.index(one.vulnerability.level), one.vulnerability, one.owner


def _stance(one: Vulnerability, policy: Policy, vex: Vex, waivers: _Waivers) -> tuple[Stance, str]:
    """VEX first: what is not there needs no waiver."""
    if statement := vex.excuses(one):
        return Stance.UNAFFECTED, statement.file
    if one.level not in policy.fail_on:
        return Stance.PASSES, ""
    allowance, why_not = waivers.find(one)
    if allowance:
        return Stance.WAIVED, f"{allowance.image}/{allowance.id}"
    return (Stance.WARNS if not one.fixed and policy.unfixed == "warn" else Stance.FAILS), why_not


class _Waivers:
    """The waivers that may count today, and what each was good for."""

    def __init__(self, allowances: tuple[Allowance, ...], today: date) -> None:
        self._today = today
        self._by_id: dict[str, list[Allowance]] = {}
        self._uses: dict[Allowance, Use] = {}
        self._all = allowances
        for one in allowances:
            self._by_id.setdefault(one.id, []).append(one)

    def find(self, vulnerability: Vulnerability) -> tuple[Allowance | None, str]:
        """The nearest waiver that counts; else why the nearest one that is meant for it does not."""
        why_not = ""
        for one in self._by_id.get(vulnerability.id, ()):
            if one.packages and not {vulnerability.package.name, vulnerability.package.source} & set(one.packages):
                continue
            use = self._use(one, vulnerability)
            if use is Use.USED or self._uses.get(one) is not Use.USED:
                self._uses[one] = use
            if use is Use.USED:
                return one, ""
            why_not = why_not or _why_not(one, use)
        return None, why_not

    def _use(self, one: Allowance, vulnerability: Vulnerability) -> Use:
        if one.until < self._today:
            return Use.EXPIRED
        if one.while_unfixed and vulnerability.fixed:
            return Use.FIXED
        return Use.TOO_LONG if self._is_too_long(one) else Use.USED

    def _is_too_long(self, one: Allowance) -> bool:
        return one.while_unfixed and one.until - self._today > LONGEST_UNFIXED

    def uses(self, image: str) -> Iterator[WaiverUse]:
        """Each waiver of the image itself, and of what it starts from those that mattered here."""
        for one in self._all:
            use = self._uses.get(one)
            if use is None and one.image == image:
                use = Use.EXPIRED if one.until < self._today else Use.TOO_LONG if self._is_too_long(one) else Use.UNUSED
            if use is not None:
                yield WaiverUse(one, use)


def _why_not(one: Allowance, use: Use) -> str:
    match use:
        case Use.EXPIRED:
            return f"the waiver in {one.image} ended on {one.until.isoformat()}"
        case Use.FIXED:
            return f"the waiver in {one.image} was for as long as there is no fix"
        case Use.TOO_LONG:
            return f"the waiver in {one.image} is for what has no fix, and such a waiver may be for {LONGEST_UNFIXED.days} days at most"
        case _:
            return ""
