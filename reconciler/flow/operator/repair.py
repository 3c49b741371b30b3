"""Repair: one object made again what it was last made. One reading, one dry-run, one write; nothing where the server says it is equal."""

from __future__ import annotations

from reconciler.core.handover import handed_over
from reconciler.core.ownership import is_ours, managers_of, owners
from reconciler.core.plan import decide
from reconciler.core.world import DEFAULT, World
from reconciler.flow.equality import Equality
from reconciler.flow.operator.keeper import Keeper
from reconciler.flow.planning import foresee
from reconciler.flow.writing import write
from reconciler.model.graph import Graph
from reconciler.model.manifests import MANAGER, Manifest, ObjectId, Observed
from reconciler.model.plan import Block, Create, Foreseen, Step, Update
from reconciler.model.result import Status
from reconciler.model.value import dataclass
from reconciler.ports import Cluster


@dataclass(frozen=True, slots=True)
class Mended:
    """It is as it should be again. `fields` differed (none: it was gone), `managers` had written them."""

    id: ObjectId
    uid: str
    fields: tuple[str, ...]
    managers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmended:
    """It could not be written, and why."""

    id: ObjectId
    reason: str


@dataclass(frozen=True, slots=True)
class Sound:
    """There was nothing to mend after all."""

    id: ObjectId


Repaired = Mended | Unmended | Sound


async def repair(cluster: Cluster, keeper: Keeper, equality: Equality, graph: Graph, id: ObjectId, revision: str) -> Repaired:
    """Makes an object again what the keeper knows of it. Raises Unreachable."""
    kept = keeper.get(id)
    if kept is None:
        return Sound(id)
    live = await cluster.read(id)
    if live is not None and not _is_ours(live, kept.uid):
        return Unmended(id, f"somebody else's object has its name now; it is managed by {', '.join(managers_of(live.body)) or 'nobody'}")
    manifest = handed_over(kept.manifest, live)
    if live is not None and keeper.is_good(manifest, live):
        return Sound(id)
    step = await _step(cluster, equality, graph, manifest, live)
    if step is None:
        return Sound(id)
    if isinstance(step, Block):
        return Unmended(id, f"{step.reason}; {step.fix}")
    outcome, uid = await write(cluster, step, revision)
    if outcome.status is not Status.DONE:
        return Unmended(id, outcome.reason)
    fields = tuple(change.path for change in step.changes) if isinstance(step, Update) else ()
    return Mended(id, uid, fields, _hands(live, step))


async def _step(
    cluster: Cluster, equality: Equality, graph: Graph, manifest: Manifest, live: Observed | None
) -> Create | Update | Block | None:
    answer = await foresee(cluster, manifest, live)
    world = World({live.id: live}) if live is not None else World()
    steps: tuple[Step, ...] = decide(graph, manifest, world, {manifest.id: answer}, DEFAULT)
    if not steps:
        if live is not None and answer == Foreseen(()):
            equality.remember(manifest, live)
        return None
    step = steps[0]
    assert isinstance(step, Create | Update | Block)
    return step


def _is_ours(live: Observed, uid: str) -> bool:
    """The very object that we wrote, or another that carries our fields."""
    return live.uid == uid or is_ours(live.body)


def _hands(live: Observed | None, step: Create | Update) -> tuple[str, ...]:
    """Who owned what differed."""
    if live is None or isinstance(step, Create):
        return ()
    found = {manager for change in step.changes for manager in owners(live.body, change.path)} | set(step.strips)
    return tuple(sorted(found - {MANAGER}))
