"""Building: one run of builds for a command, from what it asks to what came of it."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from pipelines.core.label import DIRTY
from pipelines.core.policies import policies, smokes
from pipelines.core.targets import waves
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.together import Done, Together
from pipelines.ports import Registry, Secret
from pipelines.shell import equipment
from pipelines.shell.matter import Matter, mentions
from pipelines.shell.note import note
from pipelines.shell.progress import Board, Lines
from pipelines.shell.reports import write_reports
from pipelines.shell.settled import label, lock
from reconciler.flow.fan import Stop
from reconciler.model.value import dataclass
from reconciler.shell.aside import aside


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    names: frozenset[str]
    engine: str
    jobs: int
    secrets: tuple[Secret, ...]
    force: bool
    verbose: bool
    lines: bool
    """No table, whatever stderr is."""
    platform: str = ""
    """Build for this one only."""
    builds: bool = True
    pushes: bool = True
    labels: bool = True
    """Put tags on what passed."""
    locks: bool = True
    """Write the lock."""
    reports: Path | None = None
    reported: tuple[str, ...] = ()
    """Images that reports are written of; all where none is named."""


async def build(found: Matter, asked: Asked, stop: Stop) -> Done:
    """Build what was asked for; then tags, the lock, reports. Refuses where the lock cannot be written."""
    from pipelines.adapters.cyclonedx import CycloneDx
    from pipelines.adapters.desk import WorkDesk
    from pipelines.adapters.layouts import Layouts, Overlay, Store
    from pipelines.adapters.recalling import Recalling

    root = equipment.blobs()
    logs = found.workspace.root / ".fleet" / "logs" / "images"
    plan = [[one.name for one in wave if one.name in asked.names] for wave in waves(found.targets)]
    watcher = Board(logs, plan) if sys.stderr.isatty() and not (asked.verbose or asked.lines) else Lines(logs, verbose=asked.verbose)
    store, hosts = Store(root), {found.where.registry, found.where.cache}
    builder = await equipment.builder(asked.engine, root, hosts, builds=asked.builds)
    registry: Registry = Recalling(equipment.registry() if asked.pushes else Overlay(equipment.registry(), store))
    try:
        outfit = Outfit(
            registry,
            builder,
            equipment.scanner(root),
            Layouts(store, registry),
            equipment.bases(root),
            CycloneDx(),
            WorkDesk(root / "desk"),
            watcher,
            equipment.now,
            partial(equipment.prepare, root, found.workspace.root if asked.locks else None),
        )
        wish = _wish(found, asked)
        with watcher:
            done = await _unless(stop, Together(outfit, wish))
        closing = asyncio.create_task(equipment.closed(builder))
        try:
            if asked.pushes and asked.labels:
                await label(found, registry, wish, done)
            if asked.locks:
                lock(found, wish, done)
                await note(found, registry, done.outcomes)
        finally:
            if asked.reports:
                await write_reports(asked.reports, registry, found, asked.reported, done.outcomes, logs)
            await closing
        return done
    finally:
        await equipment.closed(builder, registry, store)


async def _unless(stop: Stop, together: Together) -> Done:
    """What is done when somebody asks to stop is kept; what is not is ended."""
    work, asked = asyncio.ensure_future(together.build()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait([work])
    if stop.is_set() and work.cancelled():
        aside(f"{stop.reason}; what was finished is kept")
        return together.so_far()
    return work.result()


def _wish(found: Matter, asked: Asked) -> Wish:
    tree, where = found.workspace.reading.tree, found.where
    vouched, run_id = equipment.vouches()
    return Wish(
        targets=found.targets,
        names=asked.names,
        contexts=found.contexts,
        policies=policies(found.graph, found.targets, lambda path: found.workspace.source.read(path)),
        smokes=smokes(found.graph, found.targets),
        lock=found.lock,
        registry=where.registry,
        cache=where.cache,
        revision=tree.revision + (DIRTY if tree.dirty else ""),
        builder=vouched,
        engine=asked.engine,
        run=run_id,
        outside=mentions,
        secrets=asked.secrets,
        jobs=asked.jobs,
        force=asked.force,
        platform=asked.platform,
        builds=asked.builds,
        pushes=asked.pushes,
    )
