"""Settled: what a build changes beyond images - tags on what passed, and the lock."""

from __future__ import annotations

from pipelines.core.label import entry, labels
from pipelines.core.uses import held
from pipelines.flow.build.outfit import Wish
from pipelines.flow.build.together import Done
from pipelines.flow.each import each
from pipelines.flow.retag import retag
from pipelines.model.outcome import Passed
from pipelines.ports import Registry, RegistryFault
from pipelines.shell import equipment
from pipelines.shell.matter import Matter
from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.locking import TagTaken, adopt
from reconciler.core.relock import NotRelocked, note_base, relock
from reconciler.model.lock import Lock
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal

AT_ONCE = 4
"""Images that get their tags at the same time."""


async def label(found: Matter, registry: Registry, wish: Wish, done: Done) -> None:
    """Put tags on what passed. One that cannot be put is only a label that is missing."""
    today = equipment.now().date()

    async def one(item: tuple[str, Passed]) -> None:
        name, passed = item
        build = entry(found.lock, name, passed, wish.revision, today)
        try:
            await retag(registry, wish.repository(name), labels(found.lock, name, build))
        except RegistryFault as fault:
            aside(f"warning: {name} has no tag {build.tag}: {fault}")

    await each(_passed(done).items(), one, AT_ONCE)


def lock(found: Matter, wish: Wish, done: Done) -> bool:
    """Write what passed into the lock; whether it changed. What it names is there already. Refuses where it cannot be written."""
    passed, today = _passed(done), equipment.now().date()

    def changed(lock: Lock) -> Lock:
        for reference, digest in sorted(done.bases.items()):
            lock = note_base(lock, reference, digest, today)
        for name, one in passed.items():
            lock = adopt(lock, name, entry(lock, name, one, wish.revision, today), held(found.graph, name))
        return lock

    path = found.where.lock
    try:
        if is_new := rewrite(found.workspace.root / path, lambda data: relock(path, data, changed)):
            aside(f"{path} is written: {', '.join(passed) or 'bases'}")
    except (LockNotWritten, TagTaken) as fault:
        raise Refusal(f"{path} is as it was: {fault}", getattr(fault, "fix", ""), Exit.PARTLY) from None
    except NotRelocked as wrong:
        raise Refusal(f"{path} is as it was: {wrong}", "mend it, and run again: what was built is in the cache", Exit.FINDINGS) from None
    return is_new


def _passed(done: Done) -> dict[str, Passed]:
    return {name: one for name, one in done.outcomes.items() if isinstance(one, Passed)}
