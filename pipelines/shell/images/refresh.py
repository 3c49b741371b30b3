"""`fleet images refresh`: take in distributions' fixes and moved bases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.decide import Unclear
from pipelines.core.refresh import Raise, Refresh, chosen, edited, moves, taken
from pipelines.flow.build.today import Today
from pipelines.model.outcome import Failed
from pipelines.model.recipe import Target
from pipelines.shell import equipment
from pipelines.shell.matter import Matter, matter, mentions
from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.edit import NotEdited
from reconciler.core.relock import NotRelocked, note_base, relock
from reconciler.flow.fan import Stop
from reconciler.kinds.image.spec import ImageSpec
from reconciler.model.lock import Lock
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal, refused_by
from reconciler.shell.session import run


@click.command(name="refresh")
@click.argument("names", nargs=-1)
@click.option("--write", is_flag=True, help="Write the specs, and what bases mean into the lock. Without it they are only shown.")
@output_option("text", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], write: bool, output: str, env: str | None, repo: Path | None) -> None:
    """Raise the epoch of the bases, so that what they install is what the distribution has today, and look up what they start from.

    With NAMES only these images. A base that is pinned by tag and digest gets today's digest in its spec and Dockerfile; of others the lock
    says what they mean. Shows what would be rebuilt; builds nothing. Exit code 3 when something could not be looked up.

    \b
    Example: fleet images refresh base-python --write
    """
    found = matter(repo, env)
    if unknown := sorted(set(names) - {target.name for target in found.targets}):
        raise Refusal(f"there is no image {unknown[0]} that is built", "fleet images plan shows which there are", Exit.USAGE)
    refreshed = chosen(found.targets, names)
    asked = [(target.name, each) for target in refreshed for each in taken(target, _mentioned(found, target))]
    today, faults = run(lambda stop: _looked_up(found, {start for _, (_, start, _) in asked}, stop))
    locked = {name: base.digest for name, base in found.lock.bases.items()}
    refresh = Refresh(tuple(filter(None, (_raise(found, target) for target in refreshed))), moves(asked, today, locked))
    files = _edits(found, refresh, refreshed)
    if write:
        _written(found, refresh, files)
    click.echo(
        _text(found, refresh, write=write, is_whole=not faults)
        if output == "text"
        else orjson.dumps(_json(found, refresh), option=orjson.OPT_INDENT_2).decode()
    )
    for fault in faults.values():
        aside(f"error: {fault.message}" + (f"\nhelp: {fault.fix}" if fault.fix else ""))
    raise SystemExit(Exit.PARTLY if faults else Exit.OK)


async def _looked_up(found: Matter, starts: set[Any], stop: Stop) -> tuple[dict[str, str], dict[str, Failed]]:
    del stop  # nothing is left half done
    registry = equipment.registry()
    try:
        return await Today(registry, equipment.bases(equipment.blobs()), found.targets).digests(starts, {})
    finally:
        await equipment.closed(registry)


def _mentioned(found: Matter, target: Target) -> tuple[str, ...]:
    """What its Dockerfile takes from other registries; a Dockerfile that cannot be read is told when it is built."""
    file = found.contexts.get(target.name, {}).get(target.dockerfile)
    ours = {one.name for one in found.targets}
    try:
        return tuple(name for name in mentions(file.data.decode(errors="replace"), target) if name not in ours) if file else ()
    except Unclear:
        return ()


def _raise(found: Matter, target: Target) -> Raise | None:
    """A mirror has no steps to run again, and a service's build has no epoch: its image does."""
    resource = found.graph.resources[target.ref]
    is_built = isinstance(resource.spec, ImageSpec) and target.context is not None
    return Raise(target.name, resource.document.path, target.epoch, "epoch" in resource.document.value["spec"]) if is_built else None


def _edits(found: Matter, refresh: Refresh, refreshed: tuple[Target, ...]) -> dict[str, bytes]:
    specs = {target.name: found.graph.resources[target.ref].document.path for target in refreshed}
    files = {path: found.workspace.reading.tree.files[path] for path in specs.values()}
    dockerfiles: dict[str, str] = {}
    for target in refreshed:
        if file := found.contexts.get(target.name, {}).get(target.dockerfile):
            dockerfiles[target.name] = f"{target.context}/{target.dockerfile}"
            files[dockerfiles[target.name]] = file.data
    try:
        return edited(refresh, specs, files, dockerfiles)
    except NotEdited as refused:
        raise refused_by(refused.finding, Exit.FINDINGS) from None


def _written(found: Matter, refresh: Refresh, files: Mapping[str, bytes]) -> None:
    today, path = equipment.now().date(), found.where.lock

    def changed(lock: Lock) -> Lock:
        for move in refresh.moves:
            lock = lock if move.is_pinned else note_base(lock, move.reference, move.after, today)
        return lock

    try:
        if any(not move.is_pinned for move in refresh.moves):
            rewrite(found.workspace.root / path, lambda data: relock(path, data, changed))
        for name, data in files.items():
            (found.workspace.root / name).write_bytes(data)
    except (LockNotWritten, NotRelocked) as fault:
        raise Refusal(f"{path} is as it was, and so are the specs: {fault}", getattr(fault, "fix", ""), Exit.FINDINGS) from None
    except OSError as fault:
        raise Refusal(f"not all files could be written: {fault}", "git diff shows which were", Exit.PARTLY) from None


def _text(found: Matter, refresh: Refresh, *, write: bool, is_whole: bool) -> str:
    lines = [f"{one.image}: epoch {one.before} -> {one.after}  ({one.path})" for one in refresh.raises]
    for move in refresh.moves:
        where = "pinned in its files" if move.is_pinned else found.where.lock
        lines.append(f"{move.reference}: {move.before[7:19] or 'not recorded'} -> {move.after[7:19]}  ({where})")
    rebuilt = refresh.rebuilt(found.targets)
    if not rebuilt:
        return "Nothing to refresh: every base means what it meant." if is_whole else "Nothing to refresh of what could be looked up."
    lines.append(f"\n{len(rebuilt)} of {len(found.targets)} images are rebuilt by it: {', '.join(rebuilt)}")
    lines.append("Written; a commit makes it count." if write else "Nothing is written; --write does.")
    return "\n".join(lines)


def _json(found: Matter, refresh: Refresh) -> dict[str, Any]:
    return {
        "raises": [{"image": one.image, "path": one.path, "before": one.before, "after": one.after} for one in refresh.raises],
        "moves": [
            {"reference": one.reference, "before": one.before, "after": one.after, "images": one.images, "pinned": one.is_pinned}
            for one in refresh.moves
        ],
        "rebuilt": refresh.rebuilt(found.targets),
    }
