"""The state of an operator: what it knows between two passes. All of it can be found out again; nothing is lost with it but time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reconciler.core.orders import Orders
from reconciler.core.quarrel import Quarrel
from reconciler.flow.equality import Equality
from reconciler.flow.operator.desire import Desire
from reconciler.flow.operator.keeper import Keeper
from reconciler.model.fleet import Environment
from reconciler.model.kind import Kind
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Result
from reconciler.ports import Clock, Cluster, Ledger, Listener, Progress, Upstream

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
    fence: int = 0
    applied: str = ""
    """The revision of the last pass that came to its end, or what the inventory says of the one before a restart."""
    result: Result | None = None
    succeeded: datetime | None = None
    orders: dict[str, Orders] = field(default_factory=dict)
    """By what they are for: `all`, `Tenant/platform`, `Service/platform/web`."""
    troubles: dict[str, Trouble] = field(default_factory=dict)
    quarrels: dict[ObjectId, Quarrel] = field(default_factory=dict)
    asked: str = ""
    """The hash that a person was last asked to approve."""
    held_guards: int = 0

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.equality)

    @property
    def approved(self) -> str:
        """What a person has approved last."""
        return self.orders.get(EVERYTHING, Orders()).approved

    def pause_of(self, ref: Ref, now: datetime) -> str:
        """By which order a resource is paused now: `all`, its tenant, or itself; empty where it is not."""
        names = (EVERYTHING, f"Tenant/{ref.tenant}" if ref.tenant else "", str(ref))
        return next((name for name in names if name and (found := self.orders.get(name)) and found.pauses(now)), "")

    def paused(self, now: datetime) -> dict[str, str]:
        """Owners that are paused now, and by which order."""
        if not any(one.pauses(now) for one in self.orders.values()) or self.desire is None:
            return {}
        fleet = self.desire.graph.fleet
        found = {str(ref): self.pause_of(ref, now) for ref in (*fleet.resources, *fleet.broken)}
        return {owner: f"paused by an order for {by}" for owner, by in found.items() if by}

    def waiting(self, now: datetime, digests: Mapping[str, str]) -> dict[str, str]:
        """Owners that were refused and are not to be tried again yet."""
        return {
            owner: trouble.reason
            for owner, trouble in self.troubles.items()
            if now < trouble.again and digests.get(owner) == trouble.digest
        }

    def refused(self, reasons: Mapping[str, str], now: datetime, digests: Mapping[str, str]) -> None:
        """Takes down who was refused in a pass; whoever was not is in no trouble any more."""
        found = {}
        for owner, reason in reasons.items():
            before = self.troubles.get(owner)
            tries = before.tries + 1 if before and before.digest == digests.get(owner, "") else 1
            wait = min(FIRST_RETRY * 2 ** min(tries - 1, 10), LAST_RETRY)
            found[owner] = Trouble(reason, tries, now + wait, digests.get(owner, ""))
        self.troubles = found
