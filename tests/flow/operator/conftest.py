"""An operator over a target in memory, a repository that tests edit, and everything it tells."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.flow.fan import Stop
from reconciler.flow.operator.operator import Operator
from reconciler.flow.operator.state import Outfit
from reconciler.flow.witnessed import nobody
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.happenings import Happening
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, ObjectId, Observed
from reconciler.model.plan import Plan
from reconciler.model.result import Result
from reconciler.ports import (
    Cluster,
    CommitUnknown,
    Fetched,
    Relation,
    RunDetail,
    RunRecord,
    RunState,
    SourceUnavailable,
    StepState,
    Witness,
)
from tests.fleets import Repo

T = TypeVar("T")


class Shelf:
    """A repository elsewhere, as commits on a branch."""

    def __init__(self, repo: Repo) -> None:
        self.commits = [repo]
        self.fault: SourceUnavailable | None = None
        self.fetches = 0

    def push(self, repo: Repo) -> str:
        self.commits.append(repo)
        return repo.revision

    def rewind(self, number: int = 1) -> None:
        del self.commits[-number:]

    @property
    def head(self) -> Repo:
        return self.commits[-1]

    async def fetch(self, since: str | None) -> Fetched:
        self.fetches += 1
        if self.fault is not None:
            raise self.fault
        head = self.head.revision
        if since is None:
            return Fetched(head, Relation.FIRST)
        if since == head:
            return Fetched(head, Relation.SAME)
        known = since in {one.revision for one in self.commits}
        return Fetched(head, Relation.FORWARD if known else Relation.REWOUND)

    def parent(self, revision: str) -> str | None:
        revisions = [one.revision for one in self.commits]
        at = revisions.index(revision) if revision in revisions else 0
        return revisions[at - 1] if at else None

    def trust(self, keys: object) -> None:
        pass

    def tree(self, revision: str | None = None) -> SourceTree:
        repo = next((one for one in self.commits if one.revision == revision), None)
        if repo is None:
            raise CommitUnknown(f"there is no {revision}")
        return SourceTree(repo.revision, False, {path: text.encode() for path, text in repo.files.items()})

    def read(self, path: str, revision: str | None = None) -> bytes | None:
        return self.tree(revision).files.get(path)


class Forgetful:
    """A ledger that keeps nothing but how many runs there were, and what states they went through."""

    def __init__(self) -> None:
        self.begun = 0
        self.states: dict[str, list[RunState]] = {}
        self.steps: dict[str, list[Mapping[str, StepState]]] = {}

    def begin(self, run: RunRecord, plan: Plan) -> None:
        self.begun += 1
        self.states[run.id] = [run.state]

    def advance(self, run: RunRecord, steps: Mapping[str, StepState]) -> None:
        self.states[run.id].append(run.state)
        self.steps.setdefault(run.id, []).append(steps)

    def finish(self, run: RunRecord, result: Result) -> None:
        self.states[run.id].append(run.state)

    def runs(self, environment: str | None, limit: int) -> tuple[RunRecord, ...]:
        return ()

    def run(self, id: str) -> RunDetail | None:
        return None


class Wall:
    """The real clock."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Ears:
    """Everything that was told."""

    happenings: list[Happening] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def hear(self, happening: Happening) -> None:
        self.happenings.append(happening)

    def phase(self, name: str, total: int) -> None:
        pass

    def step(self, id: ObjectId, text: str) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)

    def of(self, kind: type[T]) -> list[T]:
        return [one for one in self.happenings if isinstance(one, kind)]


@dataclass
class Site:
    """A target, a repository, and the operator between them."""

    shelf: Shelf
    store: MemoryStore = field(default_factory=MemoryStore)
    ears: Ears = field(default_factory=Ears)
    ledger: Forgetful = field(default_factory=Forgetful)
    witness: Witness = nobody
    cluster: MemoryCluster = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = MemoryCluster(self.store)

    def outfit(self, cluster: Cluster | None = None, holder: str = "operator one") -> Outfit:
        numbers = itertools.count()
        return Outfit(
            environment="test",
            holder=holder,
            kinds=KINDS,
            upstream=self.shelf,
            connect=lambda _: cluster or self.cluster,
            clock=Wall(),
            progress=self.ears,
            listener=self.ears,
            ledger=self.ledger,
            new_id=lambda: f"run{next(numbers)}",
            monotonic=time.monotonic,
            witness=self.witness,
        )

    @asynccontextmanager
    async def running(self, cluster: Cluster | None = None, holder: str = "operator one") -> AsyncIterator[Operator]:
        operator, stop = Operator(self.outfit(cluster, holder)), Stop()
        task = asyncio.create_task(operator.run(stop))
        try:
            yield operator
        finally:
            stop.set("the test is over")
            await asyncio.wait_for(task, 30)

    async def live(self) -> dict[ObjectId, Observed]:
        found = await self.cluster.list({ENVIRONMENT_LABEL: "test-test"}, SHAPES)
        return {observed.id: observed for observed in found if observed.id.namespace != "fleetwright-system"}

    async def versions(self) -> dict[ObjectId, str]:
        return {id: observed.resource_version for id, observed in (await self.live()).items()}


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
def site() -> Site:
    return Site(Shelf(Repo.small()))
