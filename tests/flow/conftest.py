"""A person who applies small fleets to a target, and looks at what is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.core.plan import Revision
from reconciler.core.world import Options, World
from reconciler.flow.apply import Settings, apply
from reconciler.flow.equality import Equality
from reconciler.flow.fan import Stop
from reconciler.flow.planning import Planned, make_plan, observe
from reconciler.kinds import KINDS
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, ObjectId, Observed
from reconciler.model.result import Result
from reconciler.ports import Cluster
from tests.fleets import Repo


class Ticking:
    """A clock whose sleeps pass at once and move it on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds >= 60:
            await asyncio.sleep(0.3)
        else:
            await asyncio.sleep(0.001 if seconds < 5 else 3600)
        self.time += timedelta(seconds=seconds)


class Heard:
    """What was told while a run went on."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.said: list[str] = []

    def phase(self, name: str, total: int) -> None:
        self.phases.append(name)

    def step(self, id: ObjectId, text: str) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass
class Person:
    """Applies repositories to one target."""

    store: MemoryStore
    cluster: Cluster
    clock: Ticking = field(default_factory=Ticking)
    heard: Heard = field(default_factory=Heard)
    equality: Equality = field(default_factory=Equality)
    stop: Stop = field(default_factory=Stop)

    async def plan(self, repo: Repo, **options: object) -> Planned:
        graph = repo.graph()
        return await make_plan(self.cluster, graph, KINDS, Revision(repo.revision), Options(**options), self.equality)

    async def apply(self, repo: Repo, settings: dict[str, object] | None = None, **options: object) -> Result:
        return await self.carry_out(await self.plan(repo, **options), settings)

    async def carry_out(self, planned: Planned, settings: dict[str, object] | None = None) -> Result:
        how = Settings(**{"holder": "tester", "revision": planned.plan.revision, "wave_seconds": 60, **(settings or {})})
        return await apply(planned, self.cluster, self.clock, self.heard, self.stop, how)

    async def world(self, repo: Repo) -> World:
        return await observe(self.cluster, repo.graph())

    async def live(self) -> dict[ObjectId, Observed]:
        found = await self.cluster.list({ENVIRONMENT_LABEL: "test-test"}, SHAPES)
        return {observed.id: observed for observed in found if observed.id.namespace != "fleetwright-system"}


@pytest.fixture
def person() -> Person:
    store = MemoryStore()
    return Person(store, MemoryCluster(store))


def deployment(name: str, namespace: str = "acme") -> ObjectId:
    """A service's Deployment."""
    return ObjectId("apps", "Deployment", namespace, name)
