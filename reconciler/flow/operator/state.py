"""The state of an operator: what it knows between two passes. All of it can be found out again; nothing is lost with it but time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from reconciler.core.approval import Question
from reconciler.core.consent import with_approval
from reconciler.core.orders import Orders
from reconciler.core.put_back import in_force
from reconciler.core.quarrel import Quarrel
from reconciler.flow.equality import Equality
from reconciler.flow.operator.desire import Desire, Lasting
from reconciler.flow.operator.keeper import Keeper
from reconciler.flow.planning import Planned
from reconciler.flow.witnessed import nobody
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph, Held
from reconciler.model.happenings import Happening, PauseChanged
from reconciler.model.kind import Kind
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Result
from reconciler.model.track import Track
from reconciler.ports import Clock, Cluster, Ledger, Listener, Progress, Upstream, Witness

FIRST_LOOK = 5.0
"""Seconds between looks while nothing was ever found."""
EVERYTHING = "all"
"""Key of orders that are for the whole environment."""
FIRST_RETRY, LAST_RETRY = timedelta(seconds=10), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Outfit:
    """What an operator is given of the world."""

    environment: str
    holder: str
    """Who it is, as the Lease says it."""
    kinds: tuple[Kind, ...]
    upstream: Upstream
    connect: Callable[[Environment], Cluster]
    clock: Clock
    progress: Progress
    listener: Listener
    ledger: Ledger
    new_id: Callable[[], str]
    """A name for a run."""
    monotonic: Callable[[], float]
    """Seconds that no change of the wall clock moves, from any thread."""
    witness: Witness = nobody
    """Asked only where the environment demands signatures."""
    read: Callable[[Desire], None] = lambda _: None
    """Hears of each commit that was read: where notifications go is in it."""

    def heard_by(self, listener: Listener) -> Outfit:
        """The same, with one more who hears what happens."""
        return replace(self, listener=_Both(self.listener, listener))


@dataclass(frozen=True, slots=True)
class _Both:
    """Two listeners as one."""

    first: Listener
    second: Listener

    def hear(self, happening: Happening) -> None:
        self.first.hear(happening)
        self.second.hear(happening)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An owner whose writes were refused: why, how often, and when it is tried again."""

    reason: str
    tries: int
    again: datetime
    digest: str
    """Of what was desired then: an edit ends the wait."""


@dataclass(slots=True)
class State:
    """What is known now."""

    equality: Equality = field(default_factory=Equality)
    keeper: Keeper = field(init=False)
    desire: Desire | None = None
    """As read last: what a pass applies, and what repairs are made from."""
    read_on: date | None = None
    lasting: Lasting = field(default_factory=Lasting)
    """Where files that are broken now were good last."""
    consents: Mapping[str, str] = field(default_factory=dict)
    """By the resource, the hash of what a person has agreed to though the policy blocks it."""
    fence: int = 0
    applied: str = ""
    """The revision of the last pass that came to its end, or what the inventory says of the one before a restart."""
    result: Result | None = None
    succeeded: datetime | None = None
    orders: dict[str, Orders] = field(default_factory=dict)
    """By what they are for: `all`, `Tenant/platform`, `Service/platform/web`."""
    troubles: dict[str, Trouble] = field(default_factory=dict)
    quarrels: dict[ObjectId, Quarrel] = field(default_factory=dict)
    asked: tuple[Question, ...] = ()
    """What a person is asked to approve now."""
    left: frozenset[tuple[ObjectId, str, bool]] = frozenset()
    """What the last run left out: object, digest of what it should be, whether it is paused."""
    held_guards: int = 0
    tracks: Mapping[Ref, Track] = field(default_factory=dict)
    """What is known of builds, as the last pass has it."""
    woken: set[tuple[Ref, str]] = field(default_factory=set)
    """Builds for whose failure another pass was asked for: once for each."""
    _backed: tuple[Graph, Mapping[Ref, Held], Graph] | None = None

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.equality)

    @property
    def graph(self) -> Graph | None:
        """The fleet as it is meant to be now: as git has it, with what was put back. The same value as long as that is the same."""
        if self.desire is None:
            return None
        declared, held = self.desire.graph, in_force(self.desire.graph, self.tracks)
        if not held:
            return declared
        if self._backed is None or self._backed[0] is not declared or self._backed[1] != held:
            self._backed = declared, held, replace(declared, choices={**declared.choices, **held})
        return self._backed[2]

    @property
    def released(self) -> dict[str, str]:
        """Builds that somebody wants tried again, by what they are of."""
        return {what: one.release for what, one in self.orders.items() if one.release}

    @property
    def approved(self) -> str:
        """What a person has approved last."""
        return self.orders.get(EVERYTHING, Orders()).approved

    @property
    def agreed(self) -> Mapping[str, str]:
        """The consents, with the one that the last approval is, if it is one."""
        return with_approval(self.desire.asked if self.desire else (), self.consents, self.approved)

    def interval(self, now: datetime) -> float:
        """Seconds until the next look or pass: a tenth more or less, so that operators do not all ask at once."""
        seconds = self.desire.graph.environment.sync.interval / 1000 if self.desire else FIRST_LOOK
        return seconds * (0.9 + now.microsecond / 5_000_000)

    def tell_pause(self, outfit: Outfit, what: str, before: Orders, after: Orders) -> None:
        """Tells of a pause that begins or ends."""
        if (before.paused, before.until) != (after.paused, after.until):
            outfit.listener.hear(PauseChanged(what, after.until, paused=after.paused))

    def renew(self) -> None:
        """Forgets what another writer may have changed meanwhile: what objects should be, and what was applied."""
        self.keeper, self.desire, self.applied, self.result = Keeper(self.equality), None, "", None
        self.quarrels, self.troubles = {}, {}

    def mood(self, now: datetime) -> frozenset[str]:
        """What is left alone now, by names that change when it does: what time alone may end."""
        on = (str(id) for id, quarrel in self.quarrels.items() if quarrel.is_on(now))
        troubled = (f"{owner}: {one.reason}" for owner, one in self.troubles.items())
        return frozenset((now.date().isoformat(), *self.paused(now), *on, *troubled))

    def left_alone(self, planned: Planned, now: datetime) -> frozenset[ObjectId]:
        """Objects that somebody else insists on, and that no commit has changed since."""
        kept = {id: self.keeper.get(id) for id, quarrel in self.quarrels.items() if quarrel.is_on(now)}
        desired = {manifest.id: manifest.digest for manifest in planned.desired if manifest.id in kept}
        return frozenset(id for id, one in kept.items() if one is not None and desired.get(id) == one.manifest.digest)

    def pause_of(self, ref: Ref, now: datetime) -> str:
        """By which order a resource is paused now: `all`, its tenant, or itself; empty where it is not."""
        return self._pause_of(str(ref), now)

    def _pause_of(self, owner: str, now: datetime) -> str:
        parts = owner.split("/")
        names = (EVERYTHING, f"Tenant/{parts[1]}" if len(parts) == 3 else "", owner)
        return next((name for name in names if name and (found := self.orders.get(name)) and found.pauses(now)), "")

    def pause_until(self, ref: Ref, now: datetime) -> str | None:
        """None: it is not paused. Empty: until somebody resumes it. Else until when (RFC 3339)."""
        by = self.pause_of(ref, now)
        until = self.orders[by].until if by else None
        return None if not by else until.isoformat() if until else ""

    def paused(self, now: datetime, others: Iterable[str] = ()) -> dict[str, str]:
        """Owners that are paused now, and by which order: of those in git, and of `others`, which git may not have any more."""
        if not any(one.pauses(now) for one in self.orders.values()) or self.desire is None:
            return {}
        fleet = self.desire.graph.fleet
        found = {owner: self._pause_of(owner, now) for owner in {*map(str, (*fleet.resources, *fleet.broken)), *others}}
        return {owner: f"paused by an order for {by}" for owner, by in found.items() if by}

    def waiting(self, now: datetime, digests: Mapping[str, str]) -> dict[str, str]:
        """Owners that were refused and are not to be tried again yet."""
        return {
            owner: trouble.reason
            for owner, trouble in self.troubles.items()
            if now < trouble.again and digests.get(owner) == trouble.digest
        }

    def refused(self, reasons: Mapping[str, str], now: datetime, digests: Mapping[str, str]) -> None:
        """Takes down who was refused in a pass; whoever was not is in no trouble any more. Who was not tried waits on as before."""
        waiting = self.waiting(now, digests)
        found = {owner: self.troubles[owner] for owner in reasons.keys() & waiting.keys()}
        for owner, reason in reasons.items():
            if owner in found:
                continue
            before = self.troubles.get(owner)
            tries = before.tries + 1 if before and before.digest == digests.get(owner, "") else 1
            wait = min(FIRST_RETRY * 2 ** min(tries - 1, 10), LAST_RETRY)
            found[owner] = Trouble(reason, tries, now + wait, digests.get(owner, ""))
        self.troubles = found
