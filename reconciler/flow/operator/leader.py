"""The leader: what an operator does while it holds the Lease. Passes, repairs and statuses, each woken by what it is about."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable

from reconciler.core.identity import RECORD_LABEL, labelled, record_id
from reconciler.core.journal import Asked, journal_id
from reconciler.core.orders import Orders, orders
from reconciler.core.projecting import ref_of
from reconciler.flow.fan import Stop
from reconciler.flow.operator.chronicle import Chronicle
from reconciler.flow.operator.desire import Desire, NothingDesired
from reconciler.flow.operator.following import Following
from reconciler.flow.operator.mending import Mending, Noticed, Unrepaired
from reconciler.flow.operator.passes import Passes
from reconciler.flow.operator.queue import Queue
from reconciler.flow.operator.scribe import Scribe
from reconciler.flow.operator.state import EVERYTHING, Outfit, State
from reconciler.flow.operator.statuses import Statuses, Unprojected
from reconciler.flow.operator.together import together
from reconciler.flow.planning import EnvironmentMoved
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, Body, ObjectId, Observed
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from reconciler.ports import Cluster, Event, SourceUnavailable, Unreachable

PASS, STATUS = "*pass", "*status"
"""Keys of the queue; every other is a tenant, for repairs."""
DEBOUNCE, SETTLE = 0.02, 0.3
"""Seconds that a wake waits for others: of a repair, of a pass."""
AGAIN = 2.0
"""Seconds before a watch that could not begin is tried again."""

Desired = Callable[[], Awaitable[Desire]]


class Leader:
    """Leads one environment. It is made anew with every Lease."""

    def __init__(
        self, outfit: Outfit, state: State, cluster: Cluster, following: Following, desired: Desired, scribe: Scribe, chronicle: Chronicle
    ) -> None:
        assert state.desire is not None
        self._outfit, self._state, self._cluster = outfit, state, cluster
        self._following, self._desired, self._chronicle = following, desired, chronicle
        self._graph = state.desire.graph
        self._environment = self._graph.environment.id
        self._queue: Queue[str] = Queue(self._work, self._failed, outfit.monotonic)
        self._passes = Passes(outfit, state, cluster, scribe)
        self._mending = Mending(outfit, state, cluster, self._mended)
        self.statuses = Statuses(outfit, state, cluster, self._environment)
        self._because = "start"
        self._running: Stop | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._passed: tuple[Desire, frozenset[str]] | None = None

    @property
    def queue(self) -> tuple[int, float]:
        """How much there is to do, and how long the oldest of it waits, in seconds."""
        return self._queue.depth, self._queue.age()

    def wake(self, because: str, delay: float = SETTLE) -> None:
        """A pass is due."""
        self._because = because
        self._queue.wake(PASS, delay)

    def interrupt(self, why: str) -> None:
        """Ends a pass that is under way, between two writes and at once while it waits."""
        if self._running is not None:
            self._running.set(why)

    async def lead(self, stop: Stop) -> None:
        """Until somebody asks to stop and what is under way has ended. Raises Unreachable while it has not begun."""
        await self._adopt_record()
        await self._chronicle.begin(self._cluster, journal_id(self._graph))
        await self.statuses.load()
        self._heed()
        self._queue.wake(PASS)
        async with together(
            self._queue.run(),
            self._watched({RECORD_LABEL: self._environment}, [("", "ConfigMap")], self._recorded),
            self._watched_children(),
            self._resyncs(),
            self._chronicle.keep(),
        ):
            await stop.wait()
            self.interrupt(stop.reason)
            await self._idle.wait()
            await self._chronicle.flush()

    def projected(self, observed: Observed, *, gone: bool) -> None:
        """A watch showed a custom resource."""
        glance = self.statuses.seen(observed, gone=gone)
        self.ordered(self._name(observed.id), {} if gone else observed.body)
        if glance.is_drift:
            self._queue.wake(STATUS, DEBOUNCE)

    def ordered(self, what: str, body: Body) -> None:
        """Annotations on a custom resource, or on the record for everything, were seen."""
        now, before = orders(body) if body else Orders(), self._state.orders.get(what, Orders())
        if now == before:
            return
        self._state.orders[what] = now
        self._state.tell_pause(self._outfit, what, before, now)
        self.statuses.look_again()
        self.wake("asked")

    async def _work(self, key: str) -> None:
        match key:
            case _ if key == PASS:
                await self._pass()
            case _ if key == STATUS:
                await self.statuses.project()
            case tenant:
                await self._mending.mend(tenant)

    async def _pass(self) -> None:
        because, self._because = self._because, "resync"
        try:
            desire = await self._desired()
            await self._chronicle.flush()  # a restart must find where broken files were good before anything is written without them
        except NothingDesired as nothing:
            self._following.broken(str(nothing))
            assert self._state.desire is not None
            desire = self._state.desire  # what was read before it stays in force
        self._running = running = Stop()
        self._idle.clear()
        try:
            done = await self._passes.attempt(desire, because, running)
        except EnvironmentMoved as moved:
            self._following.broken(str(moved))
            return
        finally:
            self._running = None
            self._idle.set()
        for id in done.again:
            self._act_on(Noticed(self._mending.look_at(id)))
        self._chronicle.asks(tuple(Asked(one.hash, one.text) for one in self._state.asked))
        now = (desire, self._state.mood(self._outfit.clock.now()))
        self.statuses.passed(done.wrote, is_new=done.is_run or now != self._passed)
        self._passed = now
        if self.statuses.is_due:
            self._queue.wake(STATUS)
        if done.gives_up:
            self.wake("fallback", 0.0)
        if done.is_half or (running.is_set() and self._following.revision != desire.revision):
            self._queue.wake(PASS)

    def _failed(self, key: str, fault: Exception) -> None:
        if isinstance(fault, Unprojected | Unrepaired):
            return  # each of them was told
        what = {PASS: "the pass", STATUS: "the statuses"}.get(key, f"repairs of {key}")
        if isinstance(fault, Unreachable | SourceUnavailable):
            said = f"{fault}; {fault.fix}" if fault.fix else str(fault)
        else:  # a fault of ours: whoever mends it wants to know where
            said = "".join(traceback.format_exception(fault))
        self._outfit.progress.say(f"{what}: {said}")

    async def _adopt_record(self) -> None:
        """Orders for everything count before the first write. A record of an older version gets the label by which it is watched."""
        standing = await self._cluster.read(record_id(self._graph))
        self._state.orders = {EVERYTHING: orders(standing.body)} if standing is not None else {}
        if standing is not None and (body := labelled(self._graph, standing)) is not None:
            await self._cluster.put(body)

    def _heed(self) -> None:
        """Orders on custom resources count before the first write, too."""
        for id, said in self.statuses.orders().items():
            self._state.orders[self._name(id)] = said

    def _name(self, id: ObjectId) -> str:
        """The spec of a custom resource."""
        return str(ref_of(id, self._graph.environment))

    async def _watched_children(self) -> None:
        await self._state.keeper.begun.wait()
        await self._watched({ENVIRONMENT_LABEL: self._environment}, SHAPES, self._noticed)

    async def _watched(self, labels: dict[str, str], kinds: Iterable[tuple[str, str]], take: Callable[[Event], None]) -> None:
        kinds = tuple(kinds)
        while True:
            try:
                async for event in self._cluster.watch(labels, kinds):
                    take(event)
            except Unreachable as lost:
                self._outfit.progress.say(f"a watch could not begin: {lost}")
            await asyncio.sleep(AGAIN)

    def _recorded(self, event: Event) -> None:
        if event.observed is not None and event.observed.id == record_id(self._graph):
            self.ordered(EVERYTHING, event.observed.body)

    def _noticed(self, event: Event) -> None:
        self._act_on(self._mending.notice(event))

    def _act_on(self, noticed: Noticed) -> None:
        if noticed.tenant is not None:
            self._queue.wake(noticed.tenant, DEBOUNCE)
        if noticed.stray:
            self._queue.wake(PASS, SETTLE)
        if noticed.healed is not None:
            self.statuses.changed(noticed.healed)
            self._queue.wake(STATUS, SETTLE)
            result = self._state.result
            if self._running is None and result is not None and result.ending in (Ending.BLOCKED, Ending.EXPIRED):
                self.wake("healed")

    def _mended(self, owner: Ref, *, repaired: bool) -> None:
        self.statuses.changed(owner, repaired=repaired)
        self._queue.wake(STATUS, SETTLE)

    async def _resyncs(self) -> None:
        """A pass now and then, whatever the watches say: one loop for everything."""
        while True:
            await asyncio.sleep(self._state.interval(self._outfit.clock.now()))
            self._queue.wake(PASS)
