"""A plan as a comment on a pull request: what weighs most first, below the size that GitHub takes, whatever the plan's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, takewhile

from reconciler.model.findings import Severity
from reconciler.model.graph import Graph
from reconciler.model.plan import Plan
from reconciler.shell.report.plan_effects import chart, effects_table
from reconciler.shell.report.plan_escape import code, fence
from reconciler.shell.report.plan_header import Header, header_of, headline, option
from reconciler.shell.report.plan_notes import gathered
from reconciler.shell.report.plan_rows import Row, Sign, rows
from reconciler.shell.report.plan_summary import Summary, counted, named, sentence, summary
from reconciler.shell.report.plan_text import NO_CHANGES, details, finding_line

LIMIT = 65_000
"""Bytes of UTF-8. GitHub refuses comments above 65,536 characters."""
_TITLES = {Sign.BLOCK: "Blocked", Sign.DELETE: "To delete", Sign.CHANGE: "To change", Sign.ADD: "To add"}
_OPEN = 8
_ROOMY = 60
"""Up to so many resources a section, each has lines of its own for fields and reasons."""
_NAMES = 12
_LONGEST = 400
_FOOT = 400
"""Bytes kept for the last lines."""
_SHARE = 0.75
"""Of what is left, what one section may take: so that those after it are seen, too."""


def marker(environment: str) -> str:
    """The hidden first line by which the next run finds its comment and updates it."""
    return f"<!-- fleetwright plan {re.sub(r'[^A-Za-z0-9._-]', '_', environment)} -->"


def plan_markdown(plan: Plan, graph: Graph, *, place: str = "", against: str = "", edited: int | None = None) -> str:
    """The comment. Always below LIMIT, with a count of what is not shown."""
    header, found = header_of(graph, place=place, against=against, edited=edited), summary(plan)
    comment = _Comment(LIMIT - _FOOT)
    comment.add(_head(plan, header, found))
    comment.add(effects_table(plan.effects))
    comment.add(chart(plan.effects))
    ranked = sorted(rows(plan, header.waves, header.tags), key=lambda row: list(_TITLES).index(row.sign))
    for sign, members in groupby(ranked, lambda row: row.sign):
        block = list(members)
        comment.fold(f"{_TITLES[sign]}: {counted(len(block), 'resource')}", _entries(block), "resource", "diff")
    comment.fold(counted(len(plan.notes), "note"), list(_notes(plan)), "line")
    comment.fold(_counted_findings(found), [[finding_line(finding)[:_LONGEST]] for finding in plan.findings], "finding")
    return comment.ended(_foot(plan, header))


class _Comment:
    """Text up to a size. What does not fit is counted."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._parts: list[str] = []

    def add(self, lines: list[str]) -> None:
        """A part as a whole, or not at all."""
        text = "\n".join(lines) + "\n\n"
        if lines and self._fits(text):
            self._parts.append(text)

    def fold(self, title: str, entries: list[list[str]], thing: str, language: str = "text") -> None:
        """A folded list in a code block: as many entries as there is room for, then how many more there are."""
        if not entries:
            return
        ticks = fence("\n".join(line for entry in entries for line in entry))
        opening = " open" if len(entries) <= _OPEN else ""
        head = f"<details{opening}><summary>{title}</summary>\n\n{ticks}{language}\n"
        tail = f"{ticks}\n\n</details>\n\n"
        if not self._fits(head + tail + " " * len(_more(len(entries), thing))):
            return
        kept = int(self._left * (1 - _SHARE))
        shown = list(takewhile(lambda text: self._fits(text, kept), ("\n".join(entry) + "\n" for entry in entries)))
        rest = len(entries) - len(shown)
        self._parts += [head, *shown, _more(rest, thing) if rest else "", tail]

    def ended(self, lines: list[str]) -> str:
        """The whole comment."""
        return "".join(self._parts) + "\n".join(lines) + "\n"

    def _fits(self, text: str, kept: int = 0) -> bool:
        size = len(text.encode())
        if size > self._left - kept:
            return False
        self._left -= size
        return True


def _more(rest: int, thing: str) -> str:
    return f"  ... and {counted(rest, f'more {thing}')}, not shown here\n"


def _head(plan: Plan, header: Header, found: Summary) -> list[str]:
    nothing = plan.is_empty and not plan.effects
    lines = [marker(plan.environment), f"### Plan for {code(plan.environment)}", "", code(headline(plan, header)), ""]
    lines.append(f"**{NO_CHANGES}**" if nothing else f"**Plan: {sentence(found)}.**")
    if found.errors:
        lines += ["", f"> **{counted(found.errors, 'error')}**: nothing can be applied before the findings below are corrected."]
    if found.guarded:
        lines += ["", f"> **Guards hold {counted(found.guarded, 'step')}** that take something down; an apply does everything else."]
        lines += [f"> If they are meant: {code(f'fleet apply{option(plan, header)} --allow-delete={found.allow_delete}')}"]
    return lines


def _entries(block: list[Row]) -> list[list[str]]:
    """One list of lines a resource. A sign at the start of a line is what GitHub colors in a `diff` block."""
    if len(block) <= _ROOMY:
        return [[_line(row), *_below(row)] for row in block]
    return [[_line(row, f"  {row.first}".rstrip())] for row in block]


def _line(row: Row, beside: str = "") -> str:
    guarded = "  (held by a guard)" if row.is_guarded else ""
    return f"{row.sign} {row.tenant}/{row.name}  {row.what}  ({row.group.title}){guarded}{beside}"[:_LONGEST]


def _below(row: Row) -> Iterator[str]:
    told = details(row) if row.sign is not Sign.ADD else []
    width = max((len(name) for name, _ in told), default=0)
    yield from (f"      {name:<{width}}  {text}"[:_LONGEST] for name, text in told)


def _notes(plan: Plan) -> Iterator[list[str]]:
    for note in gathered(plan.notes):
        count = f"{len(note.resources):,} resources: " if len(note.resources) > 1 else ""
        names = named(note.names, _NAMES)
        yield [f"{note.word}  {count}{note.text[:_LONGEST]}: {names}" if count else f"{note.word}  {names}: {note.text[:_LONGEST]}"]


def _counted_findings(found: Summary) -> str:
    return (
        ", ".join(
            counted(number, str(severity))
            for severity, number in ((Severity.ERROR, found.errors), (Severity.WARNING, found.warnings))
            if number
        )
        or "Findings"
    )


def _foot(plan: Plan, header: Header) -> list[str]:
    told = "two revisions were compared; no target was read" if header.against else "nothing was written"
    return [f"<sub>{code(plan.hash[:80])}: {told}; in full: {code(_again(plan, header)[:200])}</sub>"]


def _again(plan: Plan, header: Header) -> str:
    return f"fleet plan --env {plan.environment} --verbose" + (f" --against {header.against}" if header.against else "")
