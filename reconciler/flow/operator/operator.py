"""The operator: follows the source, holds the Lease, passes, mends, and beats while it lives. One process, one environment."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

from reconciler.core.home import NAMESPACE
from reconciler.core.identity import RECORD_LABEL
from reconciler.core.inventory import INVENTORY_LABEL, decode
from reconciler.core.orders import orders
from reconciler.flow.fan import Stop
from reconciler.flow.lease import LeaseHeld, lease
from reconciler.flow.operator.desire import Desire, NothingDesired, desire
from reconciler.flow.operator.following import Following
from reconciler.flow.operator.mending import Mending, Noticed
from reconciler.flow.operator.passes import Passes
from reconciler.flow.operator.queue import Queue
from reconciler.flow.operator.scribe import Scribe
from reconciler.flow.operator.state import EVERYTHING, Outfit, State
from reconciler.flow.operator.together import first_of, together
from reconciler.flow.planning import EnvironmentMoved
from reconciler.model.graph import Held, Unverified
from reconciler.model.happenings import LeaseChanged, Vitals
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, ObjectId
from reconciler.model.result import Ending
from reconciler.ports import Cluster, Event, SourceUnavailable, Unreachable

PASS = ""
"""The key of passes; every other key is a tenant, for repairs."""
DEBOUNCE, SETTLE = 0.02, 0.3
"""Seconds that a wake waits for others: of a repair, of a pass."""
STANDBY = 2.0
FIRST_LOOK = 5.0
"""Seconds between looks while nothing was ever found."""
LEASE_LOST = "the Lease is lost"


class Operator:
    """Converges one environment until it is stopped."""

    def __init__(self, outfit: Outfit) -> None:
        self.state = State()
        self._outfit = outfit
        self._following = Following(outfit.upstream, outfit.listener)
        self._scribe = Scribe(outfit.ledger, outfit.holder)
        self._queue: Queue[str] = Queue(self._work, self._failed, outfit.monotonic)
        self._look = asyncio.Event()
        self._because = "start"
        self._running: Stop | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._cluster: Cluster | None = None
        self._passes: Passes | None = None
        self._mending: Mending | None = None
        self._beat = self._fetched = -math.inf
        self._leading = self._standby = False
        self._said = ""

    def wake(self, because: str) -> None:
        """Somebody asks for a look at the source and a pass: a webhook, an annotation, a person."""
        self._because = because
        self._look.set()
        self._queue.wake(PASS, SETTLE)

    def ordered(self, what: str, body: dict[str, object]) -> None:
        """Annotations of a custom resource, or of the record for `all`, were seen."""
        now, before = orders(body), self.state.orders.get(what)
        self.state.orders[what] = now
        if before is not None and now != before:
            self.wake("asked")

    def vitals(self) -> Vitals:
        """How it is. Safe to call from any thread: it only reads."""
        state, now, loop = self.state, self._outfit.clock.now(), self._time()
        choices = state.desire.graph.choices.values() if state.desire else ()
        held = sum(isinstance(choice, Held) or (isinstance(choice, Unverified) and choice.hold is not None) for choice in choices)
        return Vitals(
            beat=loop - self._beat,
            leading=self._leading,
            revision=state.applied,
            source_age=loop - self._fetched,
            success_age=(now - state.succeeded).total_seconds() if state.succeeded else math.inf,
            queue=self._queue.depth,
            queue_age=self._queue.age(),
            holds=held,
            held_guards=state.held_guards,
            paused=sum(one.pauses(now) for one in list(state.orders.values())),
            caches=state.keeper.begun.is_set(),
            standby=self._standby,
        )

    async def run(self, stop: Stop) -> None:
        """Until `stop` is set; then what is under way is ended between two writes, and the Lease is given back."""
        async with together(self._beats(), self._scribe.run(), self._looks(), self._leads(stop)) as tasks:
            await stop.wait()
            if self._running is not None:
                self._running.set(stop.reason)
            await asyncio.wait([tasks[-1]], timeout=20)

    async def _beats(self) -> None:
        while True:
            self._beat = self._time()
            await asyncio.sleep(1)

    async def _looks(self) -> None:
        """Looks at the source now and then, and whenever somebody asks."""
        while True:
            self._look.clear()
            if await self._following.look(self.state.applied, self.state.approved):
                if self._running is not None:
                    self._running.set("a newer revision")
                self._because = "commit"
                self._queue.wake(PASS)
            if self._following.is_reached:
                self._fetched = self._time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval() if self._following.revision else FIRST_LOOK):
                    await self._look.wait()
                await asyncio.sleep(DEBOUNCE)

    def _interval(self) -> float:
        """Seconds until the next look: a tenth more or less, so that operators do not all ask at once."""
        desire = self.state.desire
        seconds = desire.graph.environment.sync.interval / 1000 if desire else FIRST_LOOK
        return seconds * (0.9 + self._outfit.clock.now().microsecond / 5_000_000)

    async def _leads(self, stop: Stop) -> None:
        """Takes the Lease as often as it can be had, and works while it is held."""
        while not stop.is_set():
            first = await self._first(stop)
            if first is None:
                return
            try:
                await self._led(first, stop)
            except (LeaseHeld, Unreachable) as fault:
                self._standing_by(fault)
                await self._pause(STANDBY, stop)

    def _standing_by(self, fault: LeaseHeld | Unreachable) -> None:
        """Told once, however often it is tried again."""
        self._standby = isinstance(fault, LeaseHeld)
        if str(fault) != self._said:
            self._said = str(fault)
            self._outfit.progress.say(self._said)

    async def _first(self, stop: Stop) -> Desire | None:
        """A commit that says something, which also says where everything lives. Without one there is nothing to lead."""
        while not stop.is_set():
            try:
                if self._following.revision:
                    return await self._desired()
            except (NothingDesired, SourceUnavailable):
                pass
            await self._pause(0.2, stop)
        return None

    async def _led(self, first: Desire, stop: Stop) -> None:
        outfit, environment = self._outfit, first.graph.environment
        if self._cluster is None:
            self._cluster = outfit.connect(environment)
        cluster = self._cluster
        await self._ready(cluster, environment.id)
        lost = Stop()
        async with lease(cluster, outfit.clock, environment, outfit.holder, lost, outfit.progress, wait=False) as fence:
            self.state.fence, self._leading, self._standby, self._said = fence, True, False, ""
            outfit.listener.hear(LeaseChanged(held=True, holder=outfit.holder))
            self._passes = Passes(outfit, self.state, cluster, self._scribe)
            self._mending = Mending(outfit, self.state, cluster)
            try:
                self._queue.wake(PASS)
                async with together(self._queue.run(), self._watches(cluster, environment.id), self._resyncs()):
                    await first_of(lost.wait(), self._over(stop))
            finally:
                self._leading = False
                outfit.listener.hear(LeaseChanged(held=False, holder=outfit.holder))

    async def _over(self, stop: Stop) -> None:
        """Until somebody asks to stop and what is under way has ended."""
        await stop.wait()
        await self._idle.wait()

    async def _ready(self, cluster: Cluster, environment: str) -> None:
        """The namespace of the Lease, and what was applied before this process began."""
        if await cluster.read(_NAMESPACE_ID) is None:
            await cluster.apply(NAMESPACE, dry_run=False, force=True)
        if not self.state.applied:
            shards = await cluster.list({ENVIRONMENT_LABEL: environment, INVENTORY_LABEL: "true"}, [("", "ConfigMap")])
            self.state.applied = decode(shards).revision.removesuffix("+edited")
            self._look.set()

    async def _work(self, key: str) -> None:
        assert self._passes is not None
        assert self._mending is not None
        if key != PASS:
            await self._mending.mend(key)
            return
        try:
            desire = await self._desired()
        except NothingDesired as nothing:
            self._following.broken(str(nothing))
            return
        self._running = Stop()
        self._idle.clear()
        because, self._because = self._because, "resync"
        try:
            again = await self._passes.attempt(desire, because, self._running)
            for id in again:
                self._mend(Noticed(self._mending.look_at(id)))
        except EnvironmentMoved as moved:
            self._following.broken(str(moved))
        finally:
            if self._running.is_set() and self._following.revision != desire.revision:
                self._queue.wake(PASS)
            self._running = None
            self._idle.set()

    async def _desired(self) -> Desire:
        """What the newest commit asks for today: read once a commit and day."""
        state, revision, today = self.state, self._following.revision, self._outfit.clock.now().date()
        if state.desire is None or state.desire.revision != revision or state.read_on != today:
            outfit = self._outfit
            state.desire = await asyncio.to_thread(desire, outfit.upstream, revision, outfit.environment, outfit.kinds, today)
            state.read_on = today
        return state.desire

    def _failed(self, key: str, fault: Exception) -> None:
        self._outfit.progress.say(f"{'the pass' if key == PASS else f'repairs of {key}'}: {fault}")

    async def _watches(self, cluster: Cluster, environment: str) -> None:
        """What we have applied, and the record of the environment."""
        async with together(
            self._watched(cluster, {RECORD_LABEL: environment}, [("", "ConfigMap")], self._recorded),
            self._watched_children(cluster, environment),
        ) as tasks:
            await asyncio.wait(tasks)

    async def _watched_children(self, cluster: Cluster, environment: str) -> None:
        await self.state.keeper.begun.wait()
        await self._watched(cluster, {ENVIRONMENT_LABEL: environment}, list(SHAPES), self._noticed)

    async def _watched(self, cluster: Cluster, labels: dict[str, str], kinds: list[tuple[str, str]], take: Callable[[Event], None]) -> None:
        while True:
            try:
                async for event in cluster.watch(labels, kinds):
                    take(event)
            except Unreachable as lost:
                self._outfit.progress.say(f"the watch could not begin: {lost}")
            await asyncio.sleep(STANDBY)

    def _recorded(self, event: Event) -> None:
        if event.observed is not None:
            self.ordered(EVERYTHING, dict(event.observed.body))

    def _noticed(self, event: Event) -> None:
        assert self._mending is not None
        self._mend(self._mending.notice(event))

    def _mend(self, noticed: Noticed) -> None:
        if noticed.tenant is not None:
            self._queue.wake(noticed.tenant, DEBOUNCE)
        result = self.state.result
        if noticed.healed and self._running is None and result and result.ending in (Ending.BLOCKED, Ending.EXPIRED):
            self._because = "healed"
            self._queue.wake(PASS, SETTLE)
        if noticed.stray:
            self._queue.wake(PASS, SETTLE)

    async def _resyncs(self) -> None:
        """A pass now and then, whatever the watches say: one loop for everything."""
        while True:
            await asyncio.sleep(self._interval())
            self._queue.wake(PASS)

    async def _pause(self, seconds: float, stop: Stop) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()

    def _time(self) -> float:
        return self._outfit.monotonic()


_NAMESPACE_ID = ObjectId("", "Namespace", "", NAMESPACE["metadata"]["name"])
