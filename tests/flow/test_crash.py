"""A run that dies at any write, before or after it took effect, is taken up by the next one: same end, nothing orphaned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import Body, ObjectId, Observed
from reconciler.model.result import Ending
from reconciler.ports import Answer, Event, Glance, whole
from tests.fleets import Repo, service
from tests.flow.conftest import Person


class Killed(BaseException):
    """The process is gone: not an error that anybody handles."""


class Mortal:
    """A cluster whose user dies at the nth write, before it or right after it took effect."""

    def __init__(self, inner: MemoryCluster, at: int, *, after: bool) -> None:
        self._inner, self._at, self._after = inner, at, after
        self.writes = 0
        self._dead = False

    @property
    def place(self) -> str:
        return self._inner.place

    async def list(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]], glance: Glance = whole) -> tuple[Observed, ...]:
        self._breathe()
        return await self._inner.list(labels, kinds, glance)

    async def read(self, id: ObjectId) -> Observed | None:
        self._breathe()
        return await self._inner.read(id)

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        if dry_run:
            self._breathe()
            return await self._inner.apply(body, dry_run=True, force=force, live=live)
        return await self._write(self._inner.apply, body, dry_run=False, force=force)

    async def put(self, body: Body) -> Answer:
        return await self._write(self._inner.put, body)

    async def patch_managers(self, observed: Observed, managers: Iterable[str]) -> Answer:
        return await self._write(self._inner.patch_managers, observed, managers)

    async def delete(self, observed: Observed) -> Answer:
        return await self._write(self._inner.delete, observed)

    def watch(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Event]:
        self._breathe()
        return self._inner.watch(labels, kinds)

    async def close(self) -> None:
        await self._inner.close()

    def _breathe(self) -> None:
        if self._dead:
            raise Killed

    async def _write(self, act: Any, *args: Any, **named: Any) -> Answer:
        self._breathe()
        self.writes += 1
        number = self.writes
        if number == self._at and not self._after:
            self._dead = True
            raise Killed
        answer: Answer = await act(*args, **named)
        if number == self._at:
            self._dead = True
            raise Killed
        return answer


def first() -> Repo:
    return Repo.small(services=4)


def second() -> Repo:
    """One service edited, one new, one gone, one with another file in its ConfigMap."""
    repo = first().having("specs/services/acme/s0.yaml", service("s0", extra="  env: {A: b}\n"))
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra='  config: {/etc/app.conf: "x=2"}\n'))
    repo = repo.having("specs/services/acme/new.yaml", service("new", wave=10))
    return repo.without(["specs/services/acme/s3.yaml"])


async def _writes_of_a_whole_run() -> int:
    store = MemoryStore()
    await Person(store, MemoryCluster(store)).apply(first())
    counting = Mortal(MemoryCluster(store), at=-1, after=False)
    await Person(store, counting).apply(second(), allow_delete=await _deletions(store))
    return counting.writes


async def _deletions(store: MemoryStore) -> int:
    planned = await Person(store, MemoryCluster(store)).plan(second())
    return sum(type(step).__name__ == "Delete" for step in planned.plan.steps)


async def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been() -> None:
    total = await _writes_of_a_whole_run()
    assert total > 12
    for at in range(1, total + 1):
        for after in (False, True):
            await _killed_and_taken_up(at, after=after)


async def _killed_and_taken_up(at: int, *, after: bool) -> None:
    store = MemoryStore()
    await Person(store, MemoryCluster(store)).apply(first())
    allowed = await _deletions(store)
    dying = Person(store, Mortal(MemoryCluster(store), at, after=after))
    with pytest.raises(Killed):
        await dying.apply(second(), allow_delete=allowed)
    heir = Person(store, MemoryCluster(store))
    heir.clock.time = dying.clock.time
    result = await heir.apply(second(), allow_delete=await _deletions(store))
    assert result.ending is Ending.COMPLETED, (at, after, result.message)
    live = await heir.live()
    assert set(live) == {manifest.id for manifest in render(second().graph(), KINDS)}, (at, after)
    world = await heir.world(second())
    assert set(world.inventory.entries) == set(live), (at, after)
    assert not any(entry.awaited for entry in world.inventory.entries.values()), (at, after)
    assert (await heir.plan(second())).plan.is_empty, (at, after)
