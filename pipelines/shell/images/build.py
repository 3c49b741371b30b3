"""`fleet images build`: build what changed, judge it, write the lock."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import click
import orjson

from pipelines.core.label import DIRTY, entry, labels
from pipelines.core.policies import policies, smokes
from pipelines.core.targets import waves
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.together import Done, Together
from pipelines.flow.retag import retag
from pipelines.model.outcome import Passed
from pipelines.ports import Registry, RegistryFault, Secret
from pipelines.shell import equipment
from pipelines.shell.matter import Matter, matter, mentions, refuse_wrong
from pipelines.shell.note import note
from pipelines.shell.progress import Board, Lines
from pipelines.shell.told import as_json, exit_of, more
from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.locking import TagTaken, adopt
from reconciler.core.relock import NotRelocked, note_base, relock
from reconciler.flow.fan import Stop
from reconciler.model.lock import Lock
from reconciler.model.value import dataclass
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run


@click.command(name="build")
@click.argument("names", nargs=-1)
@click.option("--builder", type=click.Choice(["dagger", "buildah"]), help="What builds; by default what the environment says.")
@click.option("--jobs", type=click.IntRange(1, 64), help="How many images at once.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="ID=FILE",
    help="A file that steps find under /run/secrets/ID, in no layer and no log: `pip` (a pip.conf for a private index), `ca`; repeatable.",
)
@click.option("--force", is_flag=True, help="Build what lock and cache have, too.")
@click.option("--verbose", "-v", is_flag=True, help="Print what builders print; it is in .fleet/logs/images anyway.")
@output_option("text", "json")
@environment_option
@repository_option
def command(
    names: tuple[str, ...],
    builder: str | None,
    jobs: int | None,
    secrets: tuple[str, ...],
    force: bool,
    verbose: bool,
    output: str,
    env: str | None,
    repo: Path | None,
) -> None:
    """Build images whose files, arguments or parents are not those of the lock's build; judge each; write the lock.

    With NAMES only these and what they start from. What is in the cache under its key is taken from there and judged again. An image that
    fails takes only those with it that start from it. Exit code 1 when a gate said no, 3 when something failed.

    \b
    Example: fleet images build family-web --env trial
    """
    found = matter(repo, env)
    refuse_wrong(found, asked_for := found.named(names))
    given = tuple(_secret(text) for text in secrets)
    asked = Asked(asked_for, builder or found.where.builder.engine, jobs or equipment.cores(), given, force, verbose, output == "json")
    done = run(lambda stop: _build(found, asked, stop))
    for name, outcome in done.outcomes.items():
        for text in more(outcome, found.heirs()):
            aside(f"{name}:{text}" if not text.startswith("  |") else text)
    if output == "json":
        lock = found.lock_now()
        tags = {name: builds.current.tag for name, builds in lock.images.items()}
        click.echo(
            orjson.dumps([as_json(name, one, tags.get(name, "")) for name, one in done.outcomes.items()], option=orjson.OPT_INDENT_2)
        )
    raise SystemExit(exit_of(done.outcomes))


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


def _secret(text: str) -> Secret:
    id, equals, file = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id):
        raise Refusal(f"{text!r} is no ID=FILE", "write it like --secret pip=$HOME/.config/pip/pip.conf", Exit.USAGE)
    if not Path(file).is_file():
        raise Refusal(f"the secret {id} cannot be read: there is no file {file}", "name another file", Exit.USAGE)
    return Secret(id, Path(file).absolute())


async def _build(found: Matter, asked: Asked, stop: Stop) -> Done:
    from pipelines.adapters.cyclonedx import CycloneDx
    from pipelines.adapters.desk import WorkDesk
    from pipelines.adapters.layouts import Layouts, Store

    root = equipment.blobs()
    logs = found.workspace.root / ".fleet" / "logs" / "images"
    plan = [[one.name for one in wave if one.name in asked.names] for wave in waves(found.targets)]
    watcher = Board(logs, plan) if sys.stderr.isatty() and not (asked.verbose or asked.lines) else Lines(logs, verbose=asked.verbose)
    registry = equipment.registry()
    builder = await equipment.builder(asked.engine, root, {found.where.registry, found.where.cache})
    try:
        outfit = Outfit(
            registry,
            builder,
            equipment.scanner(root),
            Layouts(Store(root), registry),
            equipment.bases(root),
            CycloneDx(),
            WorkDesk(root / "desk"),
            watcher,
            equipment.now,
        )
        wish = _wish(found, asked)
        with watcher:
            done = await _unless(stop, Together(outfit, wish))
        await _settled(found, registry, wish, done)
        await note(found, registry, done.outcomes)
        return done
    finally:
        await equipment.closed(builder, registry)


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
    )


async def _settled(found: Matter, registry: Registry, wish: Wish, done: Done) -> None:
    """Tags first, then the lock: what it names is always there. A tag that cannot be put is only a label that is missing."""
    passed = {name: one for name, one in done.outcomes.items() if isinstance(one, Passed)}
    today = equipment.now().date()
    for name, one in passed.items():
        build = entry(found.lock, name, one, wish.revision, today)
        try:
            await retag(registry, wish.repository(name), labels(found.lock, name, build))
        except RegistryFault as fault:
            aside(f"warning: {name} has no tag {build.tag}: {fault}")

    def changed(lock: Lock) -> Lock:
        for reference, digest in sorted(done.bases.items()):
            lock = note_base(lock, reference, digest, today)
        for name, one in passed.items():
            lock = adopt(lock, name, entry(lock, name, one, wish.revision, today), _held(found, name))
        return lock

    path = found.where.lock
    try:
        if rewrite(found.workspace.root / path, lambda data: relock(path, data, changed)):
            aside(f"{path} is written: {', '.join(passed) or 'bases'}")
    except (LockNotWritten, TagTaken) as fault:
        raise Refusal(f"{path} is as it was: {fault}", getattr(fault, "fix", ""), Exit.PARTLY) from None
    except NotRelocked as wrong:
        raise Refusal(f"{path} is as it was: {wrong}", "mend it, and run again: what was built is in the cache", Exit.FINDINGS) from None


def _held(found: Matter, image: str) -> frozenset[str]:
    """Tags of an image that holds name: those builds stay in the lock."""
    from reconciler.kinds.service.naming import image as use_of
    from reconciler.kinds.service.spec import ServiceSpec

    uses = [use_of(resource) for resource in found.graph.fleet.of_kind("Service") if isinstance(resource.spec, ServiceSpec)]  # type: ignore[arg-type]
    return frozenset(use.hold.tag for use in uses if use.hold is not None and use.image.short == image)
