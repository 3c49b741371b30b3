"""`fleet images prev`: what would come back; with --init, record what runs today as that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from pipelines.core.survey import Runs, entered, runs, tag_for, workloads
from pipelines.core.uses import uses
from pipelines.flow.carry import carry
from pipelines.flow.each import each
from pipelines.flow.reading import read_document
from pipelines.model.oci import Pinned
from pipelines.model.reference import Reference
from pipelines.ports import Registry, RegistryFault
from pipelines.shell import equipment
from pipelines.shell.columns import columns
from pipelines.shell.images.listing import short
from pipelines.shell.stock import Stock, stock
from reconciler.flow.fan import Stop
from reconciler.model.graph import Graph
from reconciler.model.lock import Build
from reconciler.model.value import dataclass
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.targets import connected

AT_ONCE = 8


@click.command(name="prev")
@click.argument("names", nargs=-1)
@click.option("--init", is_flag=True, help="Record what runs in the target now, so that there is something to go back to.")
@click.option("--yes", is_flag=True, help="With --init: do it. Without, it is only shown.")
@environment_option
@repository_option
def command(names: tuple[str, ...], init: bool, yes: bool, env: str | None, repo: Path | None) -> None:
    """Show what each image would go back to with `fleet rollback --to prev`.

    With --init, before a migration: look what the target runs now under the names that the fleet gives its workloads, whoever put it there.
    Each image is copied by its digest to where the fleet has its own, and entered in the lock without key and verdict: by hand, as `fleet
    lint` and `fleet images verify` say. What the lock has already stays current. Shown only, unless --yes is given. Exit code 3 when
    something that runs could not be recorded.

    \b
    Example: fleet images prev --init --env production
    """
    found = stock(repo, env)
    if not init:
        if yes:
            raise Refusal("--yes goes with --init", code=Exit.USAGE)
        click.echo(_shown(found, found.named(names)))
        return
    graph = found.workspace.graph(found.where)
    survey = run(lambda stop: _surveyed(found, graph, names, stop))
    for one in (*survey.notes, *survey.wrong):
        aside(f"warning: {one}")
    if not survey.entries:
        click.echo("Nothing runs that the lock does not have.")
        raise SystemExit(Exit.PARTLY if survey.wrong else Exit.OK)
    click.echo(_told(found, survey))
    if not yes:
        click.echo("\nNothing was written. --yes copies and records this.")
        raise SystemExit(Exit.PARTLY if survey.wrong else Exit.OK)
    failed = run(lambda stop: _copied(found, survey.entries, stop))
    good = [one for one in survey.entries if one not in failed]
    found.change(lambda lock: entered(lock, _by_image(good)))
    click.echo(f"\n{len(good)} of {len(survey.entries)} builds are recorded in {found.where.lock}.")
    raise SystemExit(Exit.PARTLY if failed or survey.wrong else Exit.OK)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A build that runs, where from, and how many run it."""

    image: str
    source: Reference
    build: Build
    users: int


@dataclass(frozen=True, slots=True)
class _Survey:
    """What is to be recorded, most used first, and sentences about what cannot be."""

    entries: tuple[_Entry, ...]
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _shown(found: Stock, names: Iterable[str]) -> str:
    rows = []
    for name in names:
        builds = found.lock.images[name]
        before = builds.previous
        rows.append((name, builds.current.tag, before.tag if before else "-", short(before.digest) if before else "-"))
    return columns(("IMAGE", "CURRENT", "PREV", "DIGEST"), rows)


async def _surveyed(found: Stock, graph: Graph, names: tuple[str, ...], stop: Stop) -> _Survey:
    every = {use.image.short for _, use in uses(graph)}
    if unknown := sorted(set(names) - every):
        raise Refusal(f"nothing runs an image {unknown[0][:100]}", "fleet images list shows what there is", Exit.USAGE)
    wanted = workloads(graph, names or every)
    async with connected(found.where, found.workspace.root) as cluster:
        live = await unless_stopped(stop, each(wanted, lambda one: cluster.read(one.id), AT_ONCE))
    seen = [runs(workload, one.body) for workload, one in zip(wanted, live, strict=True) if one is not None]
    registry = equipment.registry()
    try:
        return await unless_stopped(stop, _resolved(registry, found, seen))
    finally:
        await equipment.closed(registry)


async def _resolved(registry: Registry, found: Stock, seen: Iterable[Runs]) -> _Survey:
    wrong, notes = [one.wrong for one in seen if one.reference is None], list[str]()
    counts = Counter((one.workload.image, one.reference) for one in seen if one.reference is not None)
    entries: dict[tuple[str, str], _Entry] = {}
    lock = found.lock
    for (image, reference), users in counts.most_common():
        try:
            digest = reference.digest or await _digest(registry, reference)
        except RegistryFault as fault:
            wrong.append(f"{image}: what {reference} stands for is not known: {fault}")
            continue
        builds = found.lock.builds(image)
        if (image, digest) in entries or (builds and any(build.digest == digest for build in builds.builds)):
            continue
        if not reference.digest:
            notes.append(f"{image}: {reference} is a tag: {digest[:19]} is what it stands for now, which may not be what was pulled")
        build = Build(digest, tag_for(lock, image, reference, digest, found.workspace.today), "", found.workspace.today)
        entries[image, digest] = _Entry(image, reference, build, users)
        lock = entered(lock, {image: [build]})
    return _Survey(tuple(entries.values()), tuple(wrong), tuple(notes))


async def _digest(registry: Registry, reference: Reference) -> str:
    found = await registry.head(reference.repository, reference.wanted)
    if found is None:
        raise RegistryFault(f"{reference} is not there", status=404)
    return found.digest


def _told(found: Stock, survey: _Survey) -> str:
    rows = []
    for one in survey.entries:
        place = "stands there" if one.source.repository == found.repository(one.image) else f"copy from {one.source.repository}"
        known = found.lock.builds(one.image) is not None
        rows.append((one.image, one.build.tag, short(one.build.digest), str(one.users), "as prev" if known else "as current", place))
    return columns(("IMAGE", "TAG", "DIGEST", "RUN BY", "LOCK", "REGISTRY"), rows)


async def _copied(found: Stock, entries: Iterable[_Entry], stop: Stop) -> tuple[_Entry, ...]:
    """Those that could not be copied."""
    registry, failed = equipment.registry(), []

    async def copied(one: _Entry) -> None:
        home = found.repository(one.image)
        try:
            if one.source.repository != home:
                await carry(registry, Pinned(one.source.repository, one.build.digest), home)
            else:
                await read_document(registry, home, one.build.digest)
        except RegistryFault as fault:
            aside(f"error: {one.image}: {fault}" + (f"\nhelp: {fault.fix}" if fault.fix else ""))
            failed.append(one)

    try:
        await unless_stopped(stop, each(entries, copied, 2))
    finally:
        await equipment.closed(registry)
    return tuple(failed)


def _by_image(entries: Iterable[_Entry]) -> Mapping[str, list[Build]]:
    """The most used one of an image last, since the last one entered becomes current."""
    found: dict[str, list[Build]] = {}
    for one in entries:
        found.setdefault(one.image, []).insert(0, one.build)
    return found
