"""A writer that stood still while another took its Lease: what it writes late is refused, or mended by the next pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.adapters.cluster import connect
from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.model.plan import Delete
from reconciler.model.result import Ending, Outcome, Result, Status
from reconciler.ports import Answer, Cluster, Event, Glance, whole
from tests.engines.cluster import Cluster as Server
from tests.fleets import Repo, service
from tests.operator.corner import Writer, small

OLD, NEW = "  env: {WHO: old}\n", "  env: {WHO: new}\n"
LATE = "specs/services/acme/late.yaml"
S0 = "specs/services/acme/s0.yaml"


@dataclass
class Still:
    """A clock that stands: that of a process that is not scheduled."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC))  # noqa: TID251 - as a server has it

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(3600)


class Later:
    """A clock on which a minute has passed since: every Lease of before has lapsed."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=1)  # noqa: TID251 - as a server has it

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds if seconds >= 5 else 0.05)


class Gate:
    """A cluster whose user stands still right before one write."""

    def __init__(self, inner: Cluster, at: Callable[[str, ObjectId], bool]) -> None:
        self._inner, self._at = inner, at
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    @property
    def place(self) -> str:
        return self._inner.place

    async def list(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]], glance: Glance = whole) -> tuple[Observed, ...]:
        return await self._inner.list(labels, kinds, glance)

    async def read(self, id: ObjectId) -> Observed | None:
        return await self._inner.read(id)

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        if not dry_run:
            await self._pass("apply", identify(body))
        return await self._inner.apply(body, dry_run=dry_run, force=force, live=live)

    async def put(self, body: Body) -> Answer:
        await self._pass("put", identify(body))
        return await self._inner.put(body)

    async def patch_managers(self, observed: Observed, managers: Iterable[str]) -> Answer:
        await self._pass("strip", observed.id)
        return await self._inner.patch_managers(observed, managers)

    async def delete(self, observed: Observed) -> Answer:
        await self._pass("delete", observed.id)
        return await self._inner.delete(observed)

    def watch(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Event]:
        return self._inner.watch(labels, kinds)

    async def close(self) -> None:
        await self._inner.close()

    async def _pass(self, verb: str, id: ObjectId) -> None:
        if self._at(verb, id):
            self.reached.set()
            await self.open.wait()


@dataclass
class Duel:
    """Two writers to one target, and somebody who edits by hand."""

    cluster: Cluster
    hands: Cluster
    prefix: str

    def repo(self) -> Repo:
        return small(self.prefix, services=3)

    def deployment(self, name: str) -> ObjectId:
        return ObjectId("apps", "Deployment", f"{self.prefix}-acme", name)

    async def given(self, repo: Repo) -> None:
        result = await Writer(self.cluster, "before").apply(repo)
        assert result.ending is Ending.COMPLETED, result.message

    async def fought(self, first: Repo, second: Repo, at: Callable[[str, ObjectId], bool]) -> Result:
        """The first stands still at a write; the second takes its Lease and applies another revision; then the first goes on."""
        gate = Gate(self.cluster, at)
        deposed = Writer(gate, "first", clock=Still())
        planned = await deposed.plan(first, allow_delete=await self.deletions(first))
        running = asyncio.create_task(deposed.carry_out(planned))
        await asyncio.wait([running, asyncio.ensure_future(gate.reached.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert gate.reached.is_set(), running
        result = await self.second(second)
        assert result.ending is Ending.COMPLETED, result.message
        gate.open.set()
        return await running

    async def second(self, repo: Repo) -> Result:
        """A pass of the one that has the Lease now."""
        return await Writer(self.cluster, "second", clock=Later()).apply(repo, allow_delete=await self.deletions(repo))

    async def deletions(self, repo: Repo) -> int:
        return len(tuple((await Writer(self.cluster).plan(repo)).plan.of(Delete)))

    async def who(self, name: str) -> str:
        """What the Deployment of a service says."""
        live = await self.cluster.read(self.deployment(name))
        assert live is not None
        return next(one["value"] for one in live.body["spec"]["template"]["spec"]["containers"][0]["env"] if one["name"] == "WHO")

    async def converged(self, repo: Repo) -> None:
        """The next pass leaves exactly what is declared, and after it there is nothing to do."""
        result = await self.second(repo)
        assert result.ending is Ending.COMPLETED, result.message
        writer = Writer(self.cluster)
        assert set(await writer.live(self.prefix)) == {one.id for one in render(repo.graph(), KINDS)}
        planned = await writer.plan(repo)
        assert planned.plan.is_empty
        assert set(planned.world.inventory.entries) == set(planned.world.objects)


@pytest.fixture(params=["memory", "server"])
async def duel(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[Duel]:
    if request.param == "memory":
        store = MemoryStore()
        yield Duel(MemoryCluster(store), MemoryCluster(store, manager="kubectl-edit"), prefix)
        return
    server: Server = request.getfixturevalue("cluster")
    ours, hands = (connect({}, str(server.kubeconfig), manager=name) for name in ("fleetwright", "kubectl-edit"))
    yield Duel(ours, hands, prefix)
    space = await ours.read(ObjectId("", "Namespace", "", f"{prefix}-acme"))
    if space is not None:
        await ours.delete(space)
    await ours.close()
    await hands.close()


def at(verb: str, kind: str, name: str = "") -> Callable[[str, ObjectId], bool]:
    """A write of this sort."""
    return lambda done, id: done == verb and id.kind == kind and name in ("", id.name)


def outcome(result: Result, id: ObjectId) -> Outcome:
    return next(one for one in result.outcomes if one.id == id)


async def test_a_late_update_is_refused(duel: Duel) -> None:
    await duel.given(duel.repo())
    old, new = (duel.repo().having(S0, service("s0", extra=env)) for env in (OLD, NEW))
    result = await duel.fought(old, replace(new, "d00d"), at("apply", "Deployment", "s0"))
    told = outcome(result, duel.deployment("s0"))
    assert (told.status, "somebody changed it" in told.reason) == (Status.FAILED, True)
    assert await duel.who("s0") == "new"
    await duel.converged(replace(new, "d00d"))


@pytest.mark.parametrize("verb", ["strip", "apply"])
async def test_a_late_update_that_also_takes_away_what_hands_left_is_refused(duel: Duel, verb: str) -> None:
    await duel.given(duel.repo())
    live = await duel.cluster.read(duel.deployment("s0"))
    assert live is not None
    body = {name: live.body[name] for name in ("apiVersion", "kind", "metadata", "spec")}
    edited = {**body, "spec": {**body["spec"], "minReadySeconds": 7}}
    assert (await duel.hands.put(edited)).created is False
    old, new = (duel.repo().having(S0, service("s0", extra=env)) for env in (OLD, NEW))
    result = await duel.fought(old, replace(new, "d00d"), at(verb, "Deployment", "s0"))
    assert outcome(result, duel.deployment("s0")).status is Status.FAILED
    assert await duel.who("s0") == "new"
    await duel.converged(replace(new, "d00d"))


async def test_a_late_delete_of_what_was_written_since_is_refused(duel: Duel) -> None:
    await duel.given(duel.repo())
    new = replace(duel.repo().having(S0, service("s0", extra=NEW)), "d00d")
    result = await duel.fought(duel.repo().without([S0]), new, at("delete", "Deployment", "s0"))
    told = outcome(result, duel.deployment("s0"))
    assert (told.status, "somebody changed it" in told.reason) == (Status.FAILED, True)
    assert await duel.who("s0") == "new"
    await duel.converged(new)


async def test_what_is_deleted_late_and_was_not_written_since_is_back_after_the_next_pass(duel: Duel) -> None:
    await duel.given(duel.repo())
    await duel.fought(
        duel.repo().without([S0]), replace(duel.repo().having(LATE, service("late")), "d00d"), at("delete", "Deployment", "s0")
    )
    await duel.converged(replace(duel.repo().having(LATE, service("late")), "d00d"))


async def test_a_late_create_is_found_by_its_label_and_pruned_by_the_next_pass(duel: Duel) -> None:
    await duel.given(duel.repo())
    second = replace(duel.repo().having(S0, service("s0", extra=NEW)), "d00d")
    result = await duel.fought(duel.repo().having(LATE, service("late")), second, at("apply", "ServiceAccount", "late"))
    assert result.ending in (Ending.LOCKED, Ending.FAILED)
    assert await duel.cluster.read(duel.deployment("late")) is not None
    assert duel.deployment("late") not in (await Writer(duel.cluster).plan(second)).world.inventory.entries
    await duel.converged(second)
    assert await duel.cluster.read(duel.deployment("late")) is None


async def test_a_late_create_over_a_newer_one_is_mended_by_the_next_pass(duel: Duel) -> None:
    await duel.given(duel.repo())
    old, new = (duel.repo().having(LATE, service("late", extra=env)) for env in (OLD, NEW))
    await duel.fought(old, replace(new, "d00d"), at("apply", "Deployment", "late"))
    await duel.converged(replace(new, "d00d"))
    assert await duel.who("late") == "new"


async def test_one_that_was_deposed_before_its_inventory_was_written_writes_nothing(duel: Duel) -> None:
    await duel.given(duel.repo())
    seen = []

    def inventory(verb: str, id: ObjectId) -> bool:
        seen.extend([id] if verb == "put" and id.name.startswith("inventory-") else [])
        return bool(seen) and id == seen[-1] and len(seen) == 1

    new = replace(duel.repo().having(S0, service("s0", extra=NEW)), "d00d")
    result = await duel.fought(duel.repo().having(LATE, service("late")), new, inventory)
    assert result.ending is Ending.LOCKED
    assert result.count(Status.DONE) == 0
    await duel.converged(new)


def replace(repo: Repo, revision: str) -> Repo:
    """The same files as another commit."""
    return Repo(repo.files, revision)
