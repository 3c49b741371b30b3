"""`fleet images publish`: signatures and tags of what the lock names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from pipelines.core.publication import tags
from pipelines.flow.retag import retag
from pipelines.flow.standing import missing_tags
from pipelines.ports import Registry, RegistryFault
from pipelines.shell import equipment
from pipelines.shell.images.sign import key_option, signable, signed, tell
from pipelines.shell.signing import signing_key
from pipelines.shell.stock import Stock, stock
from reconciler.flow.fan import Stop
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.session import run, unless_stopped


@click.command(name="publish")
@click.argument("names", nargs=-1)
@key_option
@click.option("--tags-only", is_flag=True, help="Sign nothing: for a fleet that trusts no key.")
@environment_option
@repository_option
def command(names: tuple[str, ...], key: Path | None, tags_only: bool, env: str | None, repo: Path | None) -> None:
    """Sign what the lock names, then put its tags: each build's own, `prev`, and `TAG-prev`. What stands already is not put again.

    This is what the release job runs, the one that has the key. A build that could not be signed gets no tag. Exit code 3 when something
    could not be published.

    \b
    Example: fleet images publish --env production
    """
    found = stock(repo, env)
    chosen = found.named(names)
    subjects = () if tags_only else signable(found, chosen)
    used = None if tags_only else signing_key(key, found.where, found.workspace.today)

    async def work(stop: Stop) -> tuple[int, int]:
        failed = await signed(subjects, used, stop) if used else {}
        tell(failed)
        registry = equipment.registry()
        try:
            moved, wrong = await unless_stopped(stop, _tagged(registry, found, chosen, {subject.at.digest for subject in failed}))
        finally:
            await equipment.closed(registry)
        return moved, len(wrong | {subject.image for subject in failed})

    moved, wrong = run(work)
    tell_count = f"{moved} tag was" if moved == 1 else f"{moved} tags were"
    click.echo(f"{len(chosen) - wrong} of {len(chosen)} images are published; {tell_count} put.")
    raise SystemExit(Exit.PARTLY if wrong else Exit.OK)


async def _tagged(registry: Registry, found: Stock, names: Collection[str], unsigned: Collection[str]) -> tuple[int, set[str]]:
    """How many tags were put, and the images for which that failed. What could not be signed gets none."""
    moved, wrong = 0, set()
    for name in names:
        repository = found.repository(name)
        try:
            due = {tag: digest for tag, digest in tags(found.lock.images[name]).items() if digest not in unsigned}
            wanted = await missing_tags(registry, repository, due)
            await retag(registry, repository, wanted)
        except RegistryFault as fault:
            aside(f"error: {name} has not all of its tags: {fault}" + (f"\nhelp: {fault.fix}" if fault.fix else ""))
            wrong.add(name)
            continue
        moved += len(wanted)
        aside(f"{name}  {', '.join(wanted) or 'tags stand already'}")
    return moved, wrong
