"""A plan as text for a terminal: what would be done, in the order in which it would be, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import click

from reconciler.model.findings import Finding, Severity
from reconciler.model.graph import Graph
from reconciler.model.plan import Block, Plan
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_header import Header, header_of, headline, option
from reconciler.shell.report.plan_notes import arrows, causes, gathered
from reconciler.shell.report.plan_rows import Row, Sign, rows
from reconciler.shell.report.plan_summary import Summary, counted, named, sentence, summary

NO_CHANGES = "No changes: everything is as desired."
_COLORS = {Sign.ADD: "green", Sign.CHANGE: "yellow", Sign.DELETE: "red", Sign.BLOCK: "magenta"}
_ROOMY = 12
"""Up to so many rows a wave, each tells its fields and reasons on lines of their own."""
_FIELDS = 6
_NAMES = 5
_NOTES = 12
_TENANT, _NAME = 24, 40


def plan_text(
    plan: Plan,
    graph: Graph,
    *,
    place: str = "",
    against: str = "",
    edited: int | None = None,
    color: bool = False,
    verbose: bool = False,
    closing: bool = True,
) -> str:
    """The whole report, ending in a line break.

    `place` is where the environment lives, `against` the revision compared with where no target was read, `edited` how many files
    of the work tree differ from the revision. `closing` tells what to do next.
    """
    header, found = header_of(graph, place=place, against=against, edited=edited), summary(plan)
    sections = [
        [headline(plan, header)],
        *_groups(plan, header, color=color, verbose=verbose),
        _effects(plan, verbose=verbose),
        _notes(plan, verbose=verbose),
        _findings(plan.findings, verbose=verbose),
        _ending(plan, header, found, closing=closing),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _groups(plan: Plan, header: Header, *, color: bool, verbose: bool) -> Iterator[list[str]]:
    found = rows(plan, header.waves, header.tags)
    widths = (_width((row.tenant for row in found), _TENANT), _width((row.name for row in found), _NAME))
    silent = not verbose and sum(row.sign is Sign.ADD for row in found) > _ROOMY  # a first apply: that all is new goes without saying
    for group, members in groupby(found, attrgetter("group")):
        block = list(members)
        lines = [click.style(group.title, bold=True) if color else group.title]
        if verbose or len(block) <= _ROOMY:
            for row in block:
                is_told = row.sign is not Sign.ADD or not silent
                lines += [_line(row, widths, color=color), *(_below(row, verbose=verbose) if is_told else ())]
        else:
            lines += [_line(row, widths, color=color) + _beside(row) for row in block]
            lines += _reasons(block)
        yield lines


def _width(texts: Iterable[str], most: int) -> int:
    return min(max(map(len, texts), default=0), most)


def _line(row: Row, widths: tuple[int, int], *, color: bool) -> str:
    sign = click.style(row.sign, fg=_COLORS[row.sign], bold=True) if color else str(row.sign)
    guarded = "  (held by a guard)" if row.is_guarded else ""
    return f"  {sign} {row.tenant:<{widths[0]}}  {row.name:<{widths[1]}}  {row.what}{guarded}"


def details(row: Row, *, verbose: bool = False) -> list[tuple[str, str]]:
    """What is told below a row: its fields, why, and what to do; each with its name, which is empty where the one above goes on."""
    fields = row.fields if verbose else row.telling
    shown = fields if verbose else fields[:_FIELDS]
    lines = [("object" if not index else "", visible(str(id))) for index, id in enumerate(row.objects)] if verbose else []
    lines += [(field.name, f"{field.before} -> {field.after}") for field in shown]
    if len(fields) > len(shown):
        lines.append(("", f"and {counted(len(fields) - len(shown), 'more field')} (--verbose)"))
    word = "blocked" if row.sign is Sign.BLOCK else "because"
    lines += [(word if not index else "", reason) for index, reason in enumerate(row.because)]
    return [*lines, ("help", row.help)] if row.help else lines


def _below(row: Row, *, verbose: bool) -> Iterator[str]:
    told = details(row, verbose=verbose)
    width = _width((name for name, _ in told), _NAME)
    yield from (f"      {name:<{max(width, 8)}}  {text}" for name, text in told)


def _beside(row: Row) -> str:
    beside = row.because[0] if row.sign is Sign.BLOCK else row.first
    return f"  {beside}" if beside else ""


def _reasons(block: list[Row]) -> Iterator[str]:
    """Why, said once for all that have the same reason. That a new thing is new needs no saying in a long list."""
    counts = Counter(reason for row in block if row.sign in (Sign.CHANGE, Sign.DELETE) for reason in row.because)
    for reason, count in counts.most_common(_NAMES):
        yield f"      because   {reason} ({counted(count, 'resource')})"
    if len(counts) > _NAMES:
        yield f"      and {counted(len(counts) - _NAMES, 'more reason')} (--verbose)"


def _effects(plan: Plan, *, verbose: bool) -> list[str]:
    lines: list[str] = []
    most = len(plan.effects) if verbose else _NAMES
    for cause in causes(plan.effects):
        lines.append(f"  {visible(str(cause.edited))} is edited")
        if cause.rebuilds:
            names = named([visible(ref.short) for ref in cause.rebuilds], max(most, _NOTES))
            lines.append(f"      rebuild   {counted(len(cause.rebuilds), 'image')}: {names}")
        for path, rolled in cause.rolls:
            names = named([visible(ref.short) for ref in rolled], most)
            lines.append(f"      roll      {len(rolled):,} by {arrows(path)}: {names}")
    return ["what follows", *lines] if lines else []


def _notes(plan: Plan, *, verbose: bool) -> list[str]:
    told = gathered(plan.notes)
    most = len(told) if verbose else _NOTES
    lines = [
        f"  {note.word:<10}  {note.names[0]}: {note.text}"
        if len(note.resources) == 1
        else f"  {note.word:<10}  {len(note.resources):,} resources: {note.text}: {named(note.names, len(note.names) if verbose else _NAMES)}"
        for note in told[:most]
    ]
    rest = sum(len(note.resources) for note in told[most:])
    return ["notes", *lines, *([f"  and {counted(rest, 'more note')} (--verbose)"] if rest else [])] if lines else []


def _findings(findings: tuple[Finding, ...], *, verbose: bool) -> list[str]:
    ranked = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    most = len(ranked) if verbose else _NAMES
    lines = [f"  {finding_line(finding)}" for finding in ranked[:most]]
    rest = len(ranked) - len(lines)
    return ["findings", *lines, *([f"  and {rest:,} more: fleet lint"] if rest else [])] if lines else []


def finding_line(finding: Finding) -> str:
    """A finding on one line."""
    return visible(f"{finding.place}: {finding.severity}[{finding.code}] {finding.message}")


def _ending(plan: Plan, header: Header, found: Summary, *, closing: bool) -> list[str]:
    if plan.is_empty and not plan.effects:
        return [NO_CHANGES]
    lines = [f"Plan: {sentence(found)}."]
    if found.guarded:
        lines += guards(plan, header, found)
    return [*lines, _closing(plan, header, found)] if closing else lines


def _closing(plan: Plan, header: Header, found: Summary) -> str:
    if header.against:
        return "Two revisions were compared; no target was read."
    if found.errors or any(plan.of(Block)):
        return "Nothing was written, and an apply will be refused until what is in the way is mended."
    if plan.is_empty:
        return "Nothing was written. The images are built first; fleet.lock then names them."
    return f"Nothing was written. Apply it with: fleet apply{option(plan, header)}"


def guards(plan: Plan, header: Header, found: Summary) -> list[str]:
    """What guards hold, and how to go on."""
    return [
        f"Guards hold {counted(found.guarded, 'step')} that take something down; an apply does everything else and exits 3.",
        f"If they are meant: fleet apply{option(plan, header)} --allow-delete={found.allow_delete}",
    ]
