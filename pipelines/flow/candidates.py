"""Candidates: of each image the build that a gate is to say yes to - what is under its key today, else what the lock has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipelines.flow.cache import Hit, look_up
from pipelines.flow.each import each
from pipelines.flow.rescan import AT_ONCE, Known
from pipelines.model.decision import Current, Decided
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Registry
from reconciler.model.lock import Lock

Place = Callable[[str], Repository]


async def candidates(registry: Registry, decided: Iterable[Decided], lock: Lock, published: Place, shelf: Place) -> tuple[Known, ...]:
    """In the order given; what was never built is left out. What failed its gate stands under its key, and nowhere else."""

    async def one(what: Decided) -> Known | None:
        name, builds = what.target.name, lock.builds(what.target.name)
        if not isinstance(what.decision, Current) and what.key:
            hit = await look_up(registry, shelf(name), what.key)
            if isinstance(hit, Hit):
                return Known(name, hit.pinned)
        if builds is None:
            return None
        return Known(name, Pinned(published(name), builds.current.digest), builds.current.sbom, builds.current.verdict)

    return tuple(known for known in await each(decided, one, AT_ONCE) if known)
