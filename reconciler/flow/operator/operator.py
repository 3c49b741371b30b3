"""The operator: follows the source, takes the Lease when it can be had, leads while it holds it, and beats while it lives."""

from __future__ import annotations

import asyncio
import contextlib
import math

from reconciler.core.home import NAMESPACE
from reconciler.core.inventory import INVENTORY_LABEL, decode
from reconciler.core.journal import decode as decode_journal
from reconciler.core.journal import journal_id
from reconciler.core.understand import understand
from reconciler.flow.fan import Stop
from reconciler.flow.lease import LeaseHeld, lease
from reconciler.flow.operator.beat import Beat
from reconciler.flow.operator.chronicle import Chronicle
from reconciler.flow.operator.desire import Desire, Lasting, NothingDesired, desire, seen_by
from reconciler.flow.operator.following import Following
from reconciler.flow.operator.leader import Leader
from reconciler.flow.operator.scribe import Scribe
from reconciler.flow.operator.state import Outfit, State
from reconciler.flow.operator.together import first_of, together
from reconciler.flow.witnessed import is_open, witnessed
from reconciler.model.graph import Held, Unverified
from reconciler.model.happenings import LeaseChanged, Vitals
from reconciler.model.manifests import ENVIRONMENT_LABEL, Body, ObjectId, Observed
from reconciler.ports import Cluster, CommitUnknown, SourceUnavailable, Unreachable

STANDBY = 2.0
"""Seconds between tries to get the Lease."""
GRACE = 20.0
"""Seconds that what is under way has to end."""
_BACK = 20
"""Commits before a newest one that does not stand in which the environment is looked for."""
_NAMESPACE = ObjectId("", "Namespace", "", NAMESPACE["metadata"]["name"])


class Operator:
    """Converges one environment until it is stopped."""

    def __init__(self, outfit: Outfit) -> None:
        self.state = State()
        self._chronicle = Chronicle(outfit.clock)
        self._outfit = outfit = outfit.heard_by(self._chronicle)
        self._following = Following(outfit.upstream, outfit.listener)
        self._scribe = Scribe(outfit.ledger, outfit.holder)
        self._reading = asyncio.Lock()
        self._look = asyncio.Event()
        self._cluster: Cluster | None = None
        self._leader: Leader | None = None
        self._beat, self._fetched = Beat(outfit.monotonic), -math.inf
        self._standby = False
        self._said = ""
        self._last: Desire | None = None
        self._fallen: tuple[str, str] | None = None
        """The commit that was found last not to stand, and why."""
        self._before: tuple[str, Desire] | None = None
        """The nearest commit that stands before one that does not."""
        self._unapplied = ""
        """A newest commit that does not stand, where nothing was ever applied that could stay in force."""
        self._declared: Desire | None = None
        """As git has it, while something of it does not verify."""

    def wake(self, because: str) -> None:
        """Somebody asks for a look at the source and a pass: a webhook, an annotation, a person."""
        self._look.set()
        if self._leader is not None:
            self._leader.wake(because)

    def projected(self, observed: Observed, gone: bool) -> None:
        """A watch showed a custom resource. Whoever does not lead looks at all of them when it begins to."""
        if self._leader is not None:
            self._leader.projected(observed, gone=gone)

    def ordered(self, what: str, body: Body) -> None:
        """Annotations were seen on a custom resource, named by its spec, or on the record, named `all`."""
        if self._leader is not None:
            self._leader.ordered(what, body)

    def vitals(self) -> Vitals:
        """How it is. Safe to call from any thread: it only reads."""
        state, leader = self.state, self._leader
        now, time = self._outfit.clock.now(), self._outfit.monotonic()
        depth, age = leader.queue if leader is not None else (0, 0.0)
        graph = state.graph
        choices = list(graph.choices.values()) if graph else []
        return Vitals(
            beat=self._beat.age,
            leading=leader is not None,
            revision=state.applied,
            source_age=time - self._fetched,
            success_age=(now - state.succeeded).total_seconds() if state.succeeded else math.inf,
            queue=depth,
            queue_age=age,
            holds=sum(isinstance(one, Held) or (isinstance(one, Unverified) and one.hold is not None) for one in choices),
            held_guards=state.held_guards,
            paused=sum(one.pauses(now) for one in list(state.orders.values())),
            caches=state.keeper.begun.is_set(),
            standby=self._standby,
            ready=leader.statuses.ready if leader is not None else {},
        )

    async def run(self, stop: Stop) -> None:
        """Until `stop` is set; then what is under way is ended between two writes, and the Lease is given back."""
        async with together(self._beat.run(), self._scribe.run(), self._looks(), self._leads(stop)) as tasks:
            await stop.wait()
            await asyncio.wait([tasks[-1]], timeout=GRACE)

    async def _looks(self) -> None:
        """Looks at the source now and then, and whenever somebody asks."""
        while True:
            self._look.clear()
            if await self._following.look(self.state.applied, self.state.approved) and self._leader is not None:
                self._leader.interrupt("a newer revision")
                self._leader.wake("commit", 0.0)
            if self._following.is_reached:
                self._fetched = self._outfit.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.state.interval(self._outfit.clock.now())):
                    await self._look.wait()

    async def _leads(self, stop: Stop) -> None:
        """Takes the Lease as often as it can be had, and leads while it is held."""
        while not stop.is_set():
            try:
                first = await self._first(stop)
                if first is not None:
                    await self._held(first, stop)
            except NothingDesired as nothing:  # the branch moved on, to a commit that does not stand, while this was about to begin
                self._following.broken(str(nothing))
            except (LeaseHeld, Unreachable, SourceUnavailable) as fault:
                self._standby = isinstance(fault, LeaseHeld)
                if str(fault) != self._said:  # told once, however often it is tried again
                    self._said = str(fault)
                    self._outfit.progress.say(self._said)
                await _pause(STANDBY, stop)

    async def _first(self, stop: Stop) -> Desire | None:
        """A commit that says something, which also says where everything lives: the newest, or else the last one that this process read, or the
        nearest before it. Without one there is nothing to lead.
        """
        tried = ""
        while not stop.is_set():
            if self._following.revision != tried:
                tried = self._following.revision
                try:
                    return await self._desired()
                except NothingDesired as nothing:
                    self._following.broken(str(nothing))
                    if self._last is not None:
                        return self._last
                    if tried != self._unapplied and (earlier := await self._earlier(tried)) is not None:
                        return earlier
            await _pause(0.2, stop)
        return None

    async def _earlier(self, revision: str) -> Desire | None:
        """The nearest commit before this one that says something: only to know where everything lives, for it was perhaps never applied."""
        outfit, today, at = self._outfit, self._outfit.clock.now().date(), revision
        if self._before is not None and self._before[0] == revision:  # while another one leads, this is asked every two seconds
            return self._before[1]
        for _ in range(_BACK):
            parent = await asyncio.to_thread(outfit.upstream.parent, at)
            if parent is None:
                break
            at = parent
            with contextlib.suppress(NothingDesired):
                found = await asyncio.to_thread(desire, outfit.upstream, at, outfit.environment, outfit.kinds, today, Lasting())
                self._before = revision, found
                return found
        return None

    async def _held(self, first: Desire, stop: Stop) -> None:
        """Leads for as long as the Lease can be held."""
        outfit, environment = self._outfit, first.graph.environment
        cluster = self._cluster = self._cluster or outfit.connect(environment)
        if await cluster.read(_NAMESPACE) is None:
            await cluster.apply(NAMESPACE, dry_run=False, force=True)
        lost, ends = Stop(), Stop()
        async with lease(cluster, outfit.clock, environment, outfit.holder, lost, outfit.progress, wait=False) as fence:
            self.state.fence, self._standby, self._said = fence, False, ""
            self.state.renew()
            await self._remember(cluster, first)
            await self._begin()
            outfit.listener.hear(LeaseChanged(held=True, holder=outfit.holder))
            self._leader = Leader(outfit, self.state, cluster, self._following, self._desired, self._scribe, self._chronicle)
            try:
                await first_of(lost.wait(), self._leader.lead(ends), _passed_on(stop, ends))
            finally:
                self._leader = None
                outfit.listener.hear(LeaseChanged(held=False, holder=""))

    async def _remember(self, cluster: Cluster, first: Desire) -> None:
        """What was applied before this process began, and whom it trusted: a branch that was rewritten meanwhile must not pass for new.

        Raises SourceUnavailable where that commit cannot be read just now: until it can, nobody knows who may sign what comes after it.
        """
        environment, upstream = first.graph.environment, self._outfit.upstream
        shards = await cluster.list({ENVIRONMENT_LABEL: environment.id, INVENTORY_LABEL: "true"}, [("", "ConfigMap")])
        inventory = decode(shards)
        applied = inventory.revision.removesuffix("+edited")
        spec = first.graph.fleet.spec
        if applied:
            try:
                tree = await asyncio.to_thread(upstream.tree, applied)
            except CommitUnknown:  # a branch that was rewritten: a person decides
                pass
            else:
                spec = understand(tree, self._outfit.kinds).fleet.spec or spec
        assert spec is not None
        upstream.trust(spec.source.verify)
        await self._following.confirm(applied, self.state.approved)
        told = decode_journal(await cluster.read(journal_id(first.graph)))
        self.state.lasting, self.state.consents = Lasting(applied, told.lasting), told.consents
        self.state.applied, self.state.tracks = applied, inventory.tracks

    async def _begin(self) -> None:
        """Reads the commit to begin with: where the newest does not stand, what this process read last stays in force, or what was applied."""
        try:
            await self._desired()
        except NothingDesired as nothing:
            in_force = self._last.revision if self._last is not None else self.state.applied
            if not in_force:
                self._unapplied = self._following.revision
                raise
            self._following.broken(str(nothing))
            await self._read(in_force)

    async def _desired(self) -> Desire:
        """What the commit asks for today that may be applied."""
        return await self._read(self._following.revision)

    async def _read(self, revision: str) -> Desire:
        """What a commit asks for today: read once a commit and day."""
        async with self._reading:
            state, outfit = self.state, self._outfit
            today, agreed = outfit.clock.now().date(), state.agreed
            if state.desire is None or state.desire.revision != revision or state.read_on != today or state.desire.consents != agreed:
                if self._fallen is not None and self._fallen[0] == revision:  # a commit does not change
                    raise NothingDesired(self._fallen[1])
                known, upstream = state.desire, outfit.upstream
                try:
                    read = await asyncio.to_thread(
                        desire, upstream, revision, outfit.environment, outfit.kinds, today, state.lasting, known, agreed
                    )
                except NothingDesired as nothing:
                    self._fallen = revision, str(nothing)
                    raise
                await self._witness(read)
                state.read_on, state.consents = today, read.consents
                self._chronicle.read(read)
                outfit.read(read)
            elif self._declared is not None:  # a signature may have come, or the registry be back
                await self._witness(self._declared, again=state.desire)
            assert state.desire is not None
            return state.desire

    async def _witness(self, declared: Desire, again: Desire | None = None) -> None:
        """What of a commit may run comes into force. What does not verify is looked at again in each pass; `again`: what came of it last."""
        state, outfit = self.state, self._outfit
        graph = await witnessed(declared.graph, outfit.witness)
        self._declared = declared if is_open(graph) else None
        if again is None or (graph.choices, graph.findings) != (again.graph.choices, again.graph.findings):
            state.desire = self._last = seen_by(declared, graph, outfit.kinds, state.desire)


async def _passed_on(stop: Stop, to: Stop) -> None:
    """Hands a wish to stop on, and leaves it to the others to end."""
    await stop.wait()
    to.set(stop.reason)
    await asyncio.Event().wait()


async def _pause(seconds: float, stop: Stop) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
