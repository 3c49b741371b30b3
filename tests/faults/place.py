"""A place in memory where operators live and die: a target, a repository, people, and a record of everything that was written."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from reconciler.adapters.memory import MemoryCluster, MemoryStore, Request
from reconciler.core.crds import crds
from reconciler.core.ownership import is_ours
from reconciler.flow.fan import Stop
from reconciler.flow.operator import operator as operator_module
from reconciler.flow.operator import statuses as statuses_module
from reconciler.flow.operator.desire import NOBODY, Desire, Lasting, NothingDesired, desire
from reconciler.flow.operator.operator import Operator
from reconciler.flow.operator.state import Outfit
from reconciler.kinds import KINDS
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGER, SHAPES, Body, ObjectId, Observed, identify
from reconciler.model.spec import GROUP
from reconciler.ports import EventKind
from tests.faults.simulated import SimulatedClock
from tests.fleets import FLEET, Repo
from tests.flow.operator.conftest import Ears, Forgetful, Shelf

ENVIRONMENT = "test-test"
SYSTEM = "fleetwright-system"
SPECIFIED = tuple((GROUP, kind.name) for kind in KINDS)
WRITES = frozenset({"apply", "status", "put", "delete", "hand-over"})


class Killed(BaseException):
    """The process is gone: nobody handles that."""


class Read:
    """What commits ask for, each read once: reading is pure, and a kill at every write reads the same commits a hundred times."""

    def __init__(self) -> None:
        self._known: dict[Any, Desire | NothingDesired] = {}
        self.count = 0

    def forget(self) -> None:
        """Commits of a walk are its own: nobody else reads them."""
        self._known.clear()

    def __call__(
        self,
        source: Any,
        revision: str,
        name: str,
        kinds: Any,
        today: date,
        before: Lasting,
        known: Desire | None = None,
        consents: Mapping[str, str] = NOBODY,
    ) -> Desire:
        self.count += 1
        tree = source.tree(revision)
        key = (tuple(sorted(tree.files.items())), revision, today, repr(before), tuple(sorted(consents.items())))
        if key not in self._known:
            try:
                self._known[key] = desire(source, revision, name, kinds, today, before, known, consents)
            except NothingDesired as nothing:
                self._known[key] = nothing
        found = self._known[key]
        if isinstance(found, NothingDesired):
            raise found
        return found


READ = Read()
_DEFINITIONS = cache(crds)


@contextlib.contextmanager
def reading() -> Any:
    """Operators inside read commits through one memory, and make the definitions once."""
    before = operator_module.desire, statuses_module.crds
    operator_module.desire, statuses_module.crds = READ, _DEFINITIONS  # type: ignore[assignment]
    try:
        yield READ
    finally:
        operator_module.desire, statuses_module.crds = before


@dataclass
class Life:
    """One operator from its start to its end."""

    operator: Operator
    cluster: MemoryCluster
    stop: Stop
    tasks: list[asyncio.Task[None]]
    dead: bool = False
    writes: int = 0
    """Asked for so far."""
    kill_at: int = 0
    """It dies at this write, where that is not 0."""
    kill_after: bool = False
    """Not before the write, but once it took effect and before it is answered."""


@dataclass(frozen=True)
class Write:
    """A change of the store: `create`, `update` or `delete`, by whom, and the object before and after."""

    verb: str
    id: ObjectId
    by: str
    before: Body | None
    after: Body | None


def lenient(repo: Repo) -> Repo:
    """Whose guards hold nothing but namespaces and claims."""
    return Repo({**repo.files, "fleet.yaml": FLEET + "  sync: {guards: {percent: 100, services: 1000}, interval: 60s}\n"}, repo.revision)


@dataclass
class Place:
    """Made inside a simulated loop."""

    shelf: Shelf
    store: MemoryStore = field(default_factory=MemoryStore)
    ears: Ears = field(default_factory=Ears)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    ledger: Any = field(default_factory=Forgetful)
    lives: list[Life] = field(default_factory=list)
    history: list[Write] = field(default_factory=list)
    foreign: dict[ObjectId, str] = field(default_factory=dict)
    """Other people's objects, with the version that they have to keep."""
    violations: list[str] = field(default_factory=list)
    """What must never happen and did, found while it happened."""

    def __post_init__(self) -> None:
        self._by = "somebody"
        self.fault: Callable[..., Any] = lambda life, request, late: None
        self._numbers = itertools.count(1)
        self.store.listeners.append(self._noted)

    # ------------------------------------------------------------------ operators

    def start(self, holder: str = "", clock: SimulatedClock | None = None) -> Life:
        """A new operator process."""
        loop = asyncio.get_running_loop()
        cluster = MemoryCluster(self.store)
        holder = holder or f"operator {len(self.lives) + 1}"
        outfit = Outfit(
            environment="test",
            holder=holder,
            kinds=KINDS,
            upstream=self.shelf,
            connect=lambda _: cluster,
            clock=clock or self.clock,
            progress=self.ears,
            listener=self.ears,
            ledger=self.ledger,
            new_id=lambda: f"run{next(self._numbers)}",
            monotonic=loop.time,
        )
        operator, stop = Operator(outfit), Stop()
        life = Life(operator, cluster, stop, [])
        cluster.before, cluster.after = self._before(life), self._after(life)
        life.tasks = [loop.create_task(self._lived(operator.run(stop), life)), loop.create_task(self._lived(self._shows(life), life))]
        self.lives.append(life)
        return life

    async def _lived(self, work: Any, life: Life) -> None:
        with contextlib.suppress(Killed):
            try:
                await work
            except BaseExceptionGroup as several:
                if not several.subgroup(Killed):
                    raise

    async def _shows(self, life: Life) -> None:
        """What Kopf does: every custom resource that a watch shows is handed to the operator."""
        while True:
            with contextlib.suppress(ConnectionError):
                async for event in MemoryCluster(self.store).watch({}, SPECIFIED):
                    if event.observed is not None and not life.dead:
                        life.operator.projected(event.observed, event.kind is EventKind.GONE)
            await asyncio.sleep(1)

    async def kill(self, life: Life) -> None:
        """As `kill -9`: from now on nothing that it does reaches anybody."""
        life.dead = True
        for task in life.tasks:
            task.cancel()
        await asyncio.gather(*life.tasks, return_exceptions=True)

    async def killed(self, life: Life) -> None:
        """Until it has met the end that was set for it, or has nothing left to write."""
        if life.kill_at:
            await asyncio.wait([life.tasks[0], asyncio.ensure_future(self.quiet())], return_when=asyncio.FIRST_COMPLETED)
        await self.kill(life)

    async def end(self, life: Life) -> None:
        """As SIGTERM."""
        life.stop.set("the end")
        await life.tasks[0]
        await self.kill(life)

    async def close(self) -> None:
        for life in self.lives:
            if not life.dead:
                await self.kill(life)

    def _before(self, life: Life) -> Callable[[Request], Any]:
        def before(request: Request) -> Any:
            if life.dead:
                return Killed()
            if request.verb not in WRITES:
                return self.fault(life, request, late=False)
            life.writes += 1
            if life.writes == life.kill_at and not life.kill_after:
                life.dead = True
                return Killed()
            if (fault := self.fault(life, request, late=False)) is None:
                self._by = MANAGER
                self._allowed(request)
            return fault

        return before

    def _after(self, life: Life) -> Callable[[Request], Any]:
        def after(request: Request) -> Any:
            self._by = "somebody"
            if life.writes == life.kill_at and life.kill_after:
                life.dead = True
                return Killed()
            return self.fault(life, request, late=True)

        return after

    def _allowed(self, request: Request) -> None:
        """No deletion of what is not ours by its label and by its managedFields."""
        if request.verb != "delete" or request.id is None:
            return
        standing = self.store.objects.get(request.id)
        if standing is None or request.id.kind == "Lease":
            return
        labels = standing["metadata"].get("labels", {})
        if labels.get(ENVIRONMENT_LABEL) != ENVIRONMENT:
            self.violations.append(f"{request.id} was to be deleted, and has not our label")
        if not is_ours(standing) and request.id.namespace != SYSTEM:
            self.violations.append(f"{request.id} was to be deleted, and we never applied it")

    # ------------------------------------------------------------------ what was written

    def _noted(self, before: Body | None, after: Body | None) -> None:
        body = after or before
        assert body is not None
        verb = "create" if before is None else "delete" if after is None else "update"
        self.history.append(Write(verb, identify(body), self._by, before, after))

    def counts(self, since: int = 0) -> Counter[tuple[str, ObjectId]]:
        """How often each object outside our own books was created, changed in what is not its status, and deleted."""
        return Counter((one.verb, one.id) for one in self.history[since:] if one.id.namespace != SYSTEM and _means_something(one))

    def asked(self) -> int:
        """Writes that operators asked for, the Lease left out."""
        return sum(
            request.verb in WRITES and request.id is not None and request.id.kind != "Lease"
            for life in self.lives
            for request in life.cluster.log
        )

    # ------------------------------------------------------------------ people

    def live(self) -> dict[ObjectId, Observed]:
        """What has our label, is not our own bookkeeping, and was not forged."""
        found = self.store.select({ENVIRONMENT_LABEL: ENVIRONMENT}, SHAPES)
        return {one.id: one for one in found if one.id.namespace != SYSTEM and one.id not in self.foreign}

    def edit(self, id: ObjectId, mutate: Callable[[dict[str, Any]], None], manager: str = "somebody", subresource: str = "") -> None:
        self.store.edit(id, manager, mutate, subresource)

    def annotate(self, id: ObjectId, name: str, value: str | None) -> None:
        """As `fleet pause`, `fleet approve` and kubectl do."""

        def mutate(body: dict[str, Any]) -> None:
            annotations = {**(body["metadata"].get("annotations") or {}), name: value}
            body["metadata"]["annotations"] = {key: text for key, text in annotations.items() if text is not None}

        self.store.edit(id, "kubectl-annotate", mutate)

    @property
    def record(self) -> ObjectId:
        return ObjectId("", "ConfigMap", SYSTEM, "environment-test.test")

    def wake(self) -> None:
        for life in self.lives:
            if not life.dead:
                life.operator.wake("webhook")

    # ------------------------------------------------------------------ quiet

    async def quiet(self, seconds: float = 70.0, longest: float = 7200.0) -> None:
        """Until nobody has written anything but Leases for so long. Raises where that never comes: that is a hot loop."""
        loop = asyncio.get_running_loop()
        end = loop.time() + longest
        last, since = self.asked(), loop.time()
        while loop.time() - since < seconds:
            await asyncio.sleep(1)
            self.raise_faults()
            if (now := self.asked()) != last:
                last, since = now, loop.time()
            assert loop.time() < end, f"writes go on and on: {self._latest()}"

    def raise_faults(self) -> None:
        """An operator that ended by a fault of its own is one."""
        for life in self.lives:
            for task in life.tasks:
                if not life.dead and task.done() and not task.cancelled():
                    task.result()
                    assert life.stop.is_set(), "an operator ended by itself"

    def _latest(self) -> str:
        return "; ".join(f"{one.verb} {one.id}" for life in self.lives for one in life.cluster.log[-40:] if one.verb in WRITES)


def _means_something(write: Write) -> bool:
    return write.verb != "update" or _plain(write.before) != _plain(write.after)


def _plain(body: Body | None) -> Any:
    """Without status, versions and bookkeeping."""
    assert body is not None
    metadata = {name: value for name, value in body["metadata"].items() if name in {"labels", "annotations", "name", "namespace"}}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}
