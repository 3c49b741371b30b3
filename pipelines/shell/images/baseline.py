"""`fleet images baseline`: waivers for all that fails today and has no fix, so that what comes next stands out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import click

from pipelines.core.baseline import Baseline, TooLong, baseline
from pipelines.core.gate import allowances
from pipelines.core.judge import LONGEST_UNFIXED
from pipelines.core.visible import visible
from pipelines.core.waive import Entry
from pipelines.flow.rescan import Again, Unjudged
from pipelines.model.verdict import Allowance, Verdict
from pipelines.shell.matter import Matter, matter
from pipelines.shell.waivers import day, declared_in, edited, judged, written
from reconciler.kinds.image.spec import ImageSpec
from reconciler.shell.aside import aside
from reconciler.shell.commits import author_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.refusal import Refusal


@click.command(name="baseline")
@click.argument("names", nargs=-1)
@click.option("--owner", help="Who answers for them; by default whoever git says you are.")
@click.option("--reason", help="Why they are bearable; by default that there is no fix.")
@click.option("--until", metavar="DATE", help="Last day that they count; by default, and at most, 90 days from now.")
@click.option("--commit", is_flag=True, help="Commit the edits, one for each spec; else they are left in the work tree.")
@environment_option
@repository_option
def command(
    names: tuple[str, ...], owner: str | None, reason: str | None, until: str | None, commit: bool, env: str | None, repo: Path | None
) -> None:
    """Waive every vulnerability that fails a gate today and has no fix, in the spec of the image that brought it.

    Each counts `while: unfixed`: as soon as there is a fix, the gate fails again. What has a fix is never waived here. With NAMES only these
    and what they start from. An image whose parent failed was not built yet: build again, then repeat. Exit code 1 when something still fails.

    \b
    Example: fleet images baseline --reason "day one; reviewed by platform" --commit
    """
    found = matter(repo, env)
    today = found.workspace.today
    last = day(until, today) if until else today + LONGEST_UNFIXED
    asked = found.named(names)
    again = judged(found, asked)
    verdicts = [one.verdict for one in again if isinstance(one, Again)]
    by = owner or author_of(found.workspace)
    try:
        made = baseline(verdicts, _there(found), by, reason or f"no fix yet on {today.isoformat()}", last, today)
    except TooLong as fault:
        raise Refusal(str(fault), f"--until {(today + timedelta(days=90)).isoformat()}", Exit.USAGE) from None
    specs = edited(found, _entries(found, made))
    written(found, specs, commit=commit)
    lost = [one for one in again if isinstance(one, Unjudged)]
    _tell(asked, verdicts, made, lost)
    raise SystemExit(Exit.PARTLY if lost else Exit.FINDINGS if made.left or any(map(_fixable, verdicts)) else Exit.OK)


def _there(found: Matter) -> tuple[Allowance, ...]:
    """The waivers that the specs have."""
    specs = [(target.name, found.graph.resources[target.ref].spec) for target in found.targets]
    return tuple(one for name, spec in specs if isinstance(spec, ImageSpec) for one in allowances(name, spec.gate))


def _entries(found: Matter, made: Baseline) -> dict[str, list[Entry]]:
    """By the image whose spec has them."""
    entries: dict[str, dict[str, Entry]] = {}
    for image, some in made.entries.items():
        mine = entries.setdefault(declared_in(found, image), {})
        for one in some:
            other = mine.get(one.id)
            packages = tuple(sorted({*one.packages, *other.packages})) if other else one.packages
            mine[one.id] = Entry(one.id, one.owner, one.reason, one.until, packages, one.while_unfixed)
    return {image: list(mine.values()) for image, mine in entries.items()}


def _fixable(verdict: Verdict) -> bool:
    return any(one.vulnerability.fixed for one in verdict.failing)


def _tell(asked: frozenset[str], verdicts: Iterable[Verdict], made: Baseline, lost: Iterable[Unjudged]) -> None:
    seen = {verdict.image for verdict in verdicts}
    for image, entries in made.entries.items():
        click.echo(f"{image}: {len(entries)} waived until {entries[0].until.isoformat()}, while there is no fix")
    if not made.entries:
        click.echo("nothing to waive: all that fails has a fix" if any(verdict.failing for verdict in verdicts) else "nothing fails")
    fixes = sorted(
        {
            (one.owner, one.vulnerability.id, one.vulnerability.package.source or one.vulnerability.package.name, one.vulnerability.fixed)
            for verdict in verdicts
            for one in verdict.failing
            if one.vulnerability.fixed
        }
    )
    for owner, id, package, fixed in fixes:
        click.echo(f"{owner}: {visible(id, 64)} has a fix: {visible(package, 80)} {visible(fixed, 60)}")
    for sentence in made.left:
        click.echo(sentence)
    for one in lost:
        aside(f"error: {one.known.image}: there is no verdict: {one.message}" + (f"\nhelp: {one.fix}" if one.fix else ""))
        seen.add(one.known.image)
    if unbuilt := sorted(asked - seen):
        aside(f"not built yet, so not judged: {', '.join(unbuilt)}")
