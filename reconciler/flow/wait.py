"""Waiting for health, by watch: nothing is polled, and a person or a newer revision ends the wait at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping

from reconciler.core.health import Failed, Health, Healthy, Progressing, health
from reconciler.flow.fan import Stop
from reconciler.model.fleet import Environment
from reconciler.model.manifests import ENVIRONMENT_LABEL, Body, ObjectId
from reconciler.ports import Clock, Cluster, Event, EventKind

Judge = Callable[[Body], Health]


async def await_health(
    cluster: Cluster,
    clock: Clock,
    environment: Environment,
    wanted: Iterable[ObjectId],
    stop: Stop,
    seconds: float,
    seen: Callable[[ObjectId, Health], None],
) -> Mapping[ObjectId, Health]:
    """Health of each once all are healthy, one failed for good, `seconds` passed, or `stop` was set. `seen` hears of each change."""
    state: dict[ObjectId, Health] = {id: Progressing("has not been seen yet") for id in wanted}
    if not state:
        return state
    watching = asyncio.create_task(_follow(cluster, environment, state, seen))
    ends = [watching, asyncio.create_task(stop.wait()), asyncio.create_task(clock.sleep(seconds))]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
    finally:
        for task in ends:
            task.cancel()
        for task in ends:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return state


async def _follow(
    cluster: Cluster, environment: Environment, state: dict[ObjectId, Health], seen: Callable[[ObjectId, Health], None]
) -> None:
    kinds = {(id.group, id.kind) for id in state}
    async for event in cluster.watch({ENVIRONMENT_LABEL: environment.id}, kinds):
        changed = _judged(event, state)
        if changed is not None:
            seen(changed, state[changed])
            if is_settled(state):
                return


def _judged(event: Event, state: dict[ObjectId, Health]) -> ObjectId | None:
    """Takes one event into account; the object whose health changed."""
    if event.observed is None or event.observed.id not in state:
        return None
    id = event.observed.id
    now: Health = Failed("it was deleted") if event.kind is EventKind.GONE else health(event.observed.body)
    if now == state[id]:
        return None
    state[id] = now
    return id


def is_settled(state: Mapping[ObjectId, Health]) -> bool:
    """All healthy, or one that will not be."""
    return any(isinstance(one, Failed) for one in state.values()) or all(isinstance(one, Healthy) for one in state.values())
