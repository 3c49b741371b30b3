"""`fleet images gc`: take out of the registries what nobody needs any more."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.garbage import Terms, sweep
from pipelines.flow.sweeping import Listing, clear, look
from pipelines.model.oci import Repository
from pipelines.model.stored import Drop, Stored, Sweep
from pipelines.ports import Registry, RegistryFault, Storeroom
from pipelines.shell import equipment
from pipelines.shell.columns import columns
from pipelines.shell.images.listing import short
from pipelines.shell.matter import Matter
from pipelines.shell.needed import Gathered, gathered, run_by
from reconciler.flow.fan import Stop
from reconciler.model.fleet import Environment
from reconciler.ports import Unreachable
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.targets import connected
from reconciler.shell.workspace import open_workspace


@click.command(name="gc")
@click.option("--yes", is_flag=True, help="Do it. Without, what would go is only shown.")
@click.option("--age", type=click.IntRange(0), default=30, show_default=True, metavar="DAYS", help="What is younger stays.")
@click.option(
    "--history", type=click.IntRange(0), default=90, show_default=True, metavar="DAYS", help="What a lock of these days names stays."
)
@click.option("--undated", is_flag=True, help="Let go of what has no date that anybody knows, too: builds that failed their gate.")
@click.option("--blind", is_flag=True, help="Go on although a target did not say what it runs.")
@click.option("--env", metavar="NAME", help="Clean only where this environment has its images; what others need stays all the same.")
@output_option("text", "json")
@repository_option
def command(yes: bool, age: int, history: int, undated: bool, blind: bool, env: str | None, output: str, repo: Path | None) -> None:
    """Take out of REGISTRY/NAME and CACHE/NAME what nobody needs any more; shown only, unless --yes is given.

    What stays: whatever a lock of any environment names, now or in the last days of git history; what holds name; what runs in a target; the
    builds of the files as they are; images of an index that stays; SBOMs, statements and signatures of what stays; what has a tag that fleet
    did not put; what is young. When any list cannot be read whole, nothing goes. ghcr.io is cleaned through GitHub's packages API.

    \b
    Example: fleet images gc --env production --age 60
    """
    workspace = open_workspace(repo)
    found, matters = gathered(workspace, repo, history)
    if env is not None:
        where = workspace.environment(env)
        found.places = {place: known for place, known in found.places.items() if _is_of(place, where)}
        matters = tuple(one for one in matters if any(_is_of(place, one.where) for place in found.places))
    swept, failed, gone = run(
        lambda stop: _swept(found, matters, Terms(workspace.today, age, undated, found.dates), stop, yes=yes, blind=blind)
    )
    if output == "json":
        click.echo(orjson.dumps(_json(swept, gone), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(_text(swept))
        if yes and swept.drops:
            click.echo(f"{len(gone)} of {len(swept.drops)} are gone.")
        elif swept.drops:
            click.echo("Nothing was deleted. --yes does it.")
    if failed is not None:
        raise Refusal(f"it ended early: {failed}", failed.fix, Exit.PARTLY)


def _is_of(place: Repository, where: Environment) -> bool:
    return str(place).startswith((f"{where.registry}/", f"{where.cache}/"))


async def _swept(
    found: Gathered, matters: Collection[Matter], terms: Terms, stop: Stop, *, yes: bool, blind: bool
) -> tuple[Sweep, RegistryFault | None, list[Drop]]:
    silent = [one.where.name for one in matters if not await _runs(one, found, stop)]
    if silent and yes and not blind:
        raise Refusal(
            f"nothing was deleted: {', '.join(silent)} did not say what runs", "try again when it answers, or say --blind", Exit.PARTLY
        )
    registry = equipment.registry()
    rooms = {repository.host: _room(repository.host, registry, found) for repository in found.places}
    try:
        stored: list[Stored] = []
        for host, room in rooms.items():
            here = sorted(repository for repository in found.places if repository.host == host)
            stored += await unless_stopped(stop, look(registry, room, here))
        swept, gone = sweep(stored, found.needed, terms), list[Drop]()
        failed = await _cleared(rooms, swept, gone) if yes else None
    except RegistryFault as fault:
        raise Refusal(f"nothing was deleted, since not everything could be listed: {fault}", fault.fix, Exit.PARTLY) from None
    finally:
        await equipment.closed(registry, *rooms.values())
    return swept, failed, gone


async def _cleared(rooms: dict[str, Storeroom], swept: Sweep, gone: list[Drop]) -> RegistryFault | None:
    def told(drop: Drop) -> None:
        gone.append(drop)
        aside(f"{drop.stored.repository}@{drop.stored.digest[:19]}  deleted")

    for host, room in rooms.items():
        if fault := await clear(room, [drop for drop in swept.drops if drop.stored.repository.host == host], told):
            return fault
    return None


async def _runs(one: Matter, found: Gathered, stop: Stop) -> bool:
    """Whether the target said what it runs."""
    try:
        async with connected(one.where, one.workspace.root) as cluster:
            await unless_stopped(stop, run_by(cluster, one.where, found))
    except Unreachable as lost:
        aside(f"warning: {one.where.name} did not say what it runs: {lost}")
        return False
    return True


def _room(host: str, registry: Registry, found: Gathered) -> Storeroom:
    if host != equipment.GITHUB_REGISTRY:
        return Listing(registry, {place: digests for place, digests in found.places.items() if place.host == host})
    return equipment.github_packages()


def _text(swept: Sweep) -> str:
    rows = [
        (str(one.stored.repository), short(one.stored.digest), ", ".join(one.stored.version.tags) or "-", one.because)
        for one in swept.drops
    ]
    table = [columns(("REPOSITORY", "DIGEST", "TAGS", "BECAUSE"), rows), ""] if rows else []
    count = f"{len(rows)} manifest{'' if len(rows) == 1 else 's'} may go ({swept.bytes / (1 << 20):.1f} MiB), {len(swept.kept)} stay."
    return "\n".join([*table, count])


def _json(swept: Sweep, gone: Collection[Drop]) -> dict[str, Any]:
    deleted = {(one.stored.repository, one.stored.digest) for one in gone}
    return {
        "bytes": swept.bytes,
        "drops": [
            {
                **_place(one.stored.repository, one.stored.digest),
                "tags": list(one.stored.version.tags),
                "because": one.because,
                "deleted": (one.stored.repository, one.stored.digest) in deleted,
            }
            for one in swept.drops
        ],
        "kept": [{**_place(*place), "because": why} for place, why in sorted(swept.kept.items())],
    }


def _place(repository: Repository, digest: str) -> dict[str, str]:
    return {"repository": str(repository), "digest": digest}
