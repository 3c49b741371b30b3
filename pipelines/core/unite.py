"""Unites the verdicts on an image's platforms to one on the image: it passes when each does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from pipelines.model.verdict import Use, Verdict, WaiverUse
from pipelines.model.vulnerability import LEVELS


def unite(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict out of some by the same policy; its size is the largest one's."""
    first = verdicts[0]
    judged = sorted(set(chain.from_iterable(one.judged for one in verdicts)), key=lambda one: (-LEVELS.index(one.vulnerability.level), one))
    unmatched = set.intersection(*(set(one.unmatched) for one in verdicts))
    return replace(
        first,
        judged=tuple(judged),
        waivers=tuple(sorted(_waivers(chain.from_iterable(one.waivers for one in verdicts)))),
        unmatched=tuple(sorted(unmatched)),
        faults=tuple(dict.fromkeys(chain.from_iterable(one.faults for one in verdicts))),
        size=max(one.size for one in verdicts),
        database=min(one.database for one in verdicts),
    )


def _waivers(uses: Iterable[WaiverUse]) -> Iterable[WaiverUse]:
    """A waiver that one platform needs is needed."""
    found: dict[object, WaiverUse] = {}
    for use in uses:
        if use.allowance not in found or use.use is Use.USED:
            found[use.allowance] = use
    return found.values()
