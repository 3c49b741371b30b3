"""What follows from an edit, as a Markdown table and, while it is small, as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from reconciler.model.plan import Effect
from reconciler.model.refs import Ref
from reconciler.shell.report.plan_escape import code, mermaid
from reconciler.shell.report.plan_notes import Cause, causes
from reconciler.shell.report.plan_summary import counted

_CAUSES = 20
_NAMES = 15
_EDGES = 40
"""More than so many edges nobody reads; Mermaid itself stops at 500."""


def effects_table(effects: Iterable[Effect]) -> list[str]:
    """A row for each edited spec, the one from which most follows first; none where nothing follows."""
    found = causes(effects)
    if not found:
        return []
    lines = ["| edited | rebuilds | rolls |", "| --- | --- | --- |"]
    lines += [f"| {code(str(cause.edited))} | {_some(cause.rebuilds)} | {_some(_rolled(cause))} |" for cause in found[:_CAUSES]]
    if len(found) > _CAUSES:
        lines += ["", f"and {counted(len(found) - _CAUSES, 'more edited spec')}, not shown here"]
    return lines


def _rolled(cause: Cause) -> tuple[Ref, ...]:
    return tuple(ref for _, rolled in cause.rolls for ref in rolled)


def _some(refs: tuple[Ref, ...]) -> str:
    if not refs:
        return "none"
    names = ", ".join(code(ref.short) for ref in refs[:_NAMES])
    more = f" and {len(refs) - _NAMES:,} more" if len(refs) > _NAMES else ""
    return f"{len(refs):,}: {names}{more}"


def chart(effects: Iterable[Effect]) -> list[str]:
    """The ways from edits to what rebuilds and rolls, folded; none where there is no way or too many."""
    paths = [effect.path for effect in effects]
    edges = list(dict.fromkeys(pair for path in paths for pair in pairwise(path)))
    if not edges or len(edges) > _EDGES:
        return []
    numbers = {ref: number for number, ref in enumerate(dict.fromkeys(ref for edge in edges for ref in edge))}
    nodes = [f"  n{number}[{mermaid(ref.short)}]" for ref, number in numbers.items()]
    arrows = [f"  n{numbers[one]} --> n{numbers[two]}" for one, two in edges]
    return ["<details><summary>What follows, drawn</summary>", "", "```mermaid", "graph LR", *nodes, *arrows, "```", "", "</details>"]
