"""`fleet images waive`: let one vulnerability pass for a while, in the spec of whoever brought it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from pipelines.core.judge import LONGEST_UNFIXED
from pipelines.core.waive import Entry
from pipelines.flow.rescan import Again, Unjudged
from pipelines.model.verdict import Judged
from pipelines.shell.matter import Matter, matter
from pipelines.shell.waivers import day, declared_in, edited, judged, written
from reconciler.core.suggest import did_you_mean
from reconciler.shell.aside import aside
from reconciler.shell.commits import author_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.refusal import Refusal


@click.command(name="waive")
@click.argument("name")
@click.argument("id")
@click.option("--reason", required=True, help="Why it is bearable, for whoever reads the spec.")
@click.option("--owner", help="Who answers for it; by default whoever git says you are.")
@click.option("--until", required=True, metavar="DATE", help="Last day that it counts, such as 2026-12-02.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Only in this package, or source package; repeatable.")
@click.option("--while-unfixed", is_flag=True, help="Only for as long as no update fixes it; 90 days at most.")
@click.option("--here", is_flag=True, help="In the spec of NAME itself, whoever brought it: nothing is judged.")
@click.option("--commit", is_flag=True, help="Commit the edit; else it is left in the work tree.")
@environment_option
@repository_option
def command(
    name: str,
    id: str,
    reason: str,
    owner: str | None,
    until: str,
    packages: tuple[str, ...],
    while_unfixed: bool,
    here: bool,
    commit: bool,
    env: str | None,
    repo: Path | None,
) -> None:
    """Let the vulnerability ID pass the gate of NAME until a day, by one line in the spec of the image that brought it.

    Whoever starts from that image has the waiver, too. Nothing is built again for it: `fleet images build` judges what is there.

    \b
    Example: fleet images waive family-web CVE-2026-12345 --until 2026-12-20 --reason "not reachable: no XML is read"
    """
    found = matter(repo, env)
    found.named([name])
    last = day(until, found.workspace.today)
    if while_unfixed and last - found.workspace.today > LONGEST_UNFIXED:
        raise Refusal(f"--while-unfixed: such a waiver may be for {LONGEST_UNFIXED.days} days at most", "name an earlier day", Exit.USAGE)
    entry = Entry(id, owner or author_of(found.workspace), reason, last, tuple(sorted(packages)), while_unfixed)
    images = {name} if here else _brought_by(found, name, entry)
    specs = edited(found, {declared_in(found, image): [entry] for image in images})
    for one in specs:
        aside(f"{id} may pass in {one.image} until {last.isoformat()}")
    if not specs:
        aside(f"{id} has this waiver already")
    written(found, specs, commit=commit)


def _brought_by(found: Matter, name: str, entry: Entry) -> set[str]:
    """The images that brought it. Where nothing can be judged, NAME itself; refuses what NAME does not have."""
    match judged(found, [name]):
        case (Again(verdict=verdict),):
            return {one.owner for one in _meant(name, verdict.judged, entry)}
        case (Unjudged(message=message),):
            aside(f"who brought it is not known, so the spec of {name} gets it: {message}")
        case _:
            aside(f"who brought it is not known, so the spec of {name} gets it: no build of it is in the lock or in the cache")
    return {name}


def _meant(name: str, all: Iterable[Judged], entry: Entry) -> list[Judged]:
    every = tuple(all)
    same = [one for one in every if one.vulnerability.id == entry.id]
    if not same:
        near = did_you_mean(entry.id, {one.vulnerability.id for one in every})
        raise Refusal(f"{name} has no {entry.id} by today's database", near or "`--here` writes the waiver anyway", Exit.FINDINGS)
    named = {one: {one.vulnerability.package.name, one.vulnerability.package.source} for one in same}
    meant = [one for one in same if not entry.packages or named[one] & set(entry.packages)]
    if not meant:
        there = sorted({name for names in named.values() for name in names if name})
        raise Refusal(f"{entry.id} is not in {', '.join(entry.packages)} of {name}", f"it is in {', '.join(there)}", Exit.FINDINGS)
    return meant
