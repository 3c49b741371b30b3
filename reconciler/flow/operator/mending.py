"""Mending: drift put right at once, object by object, unless somebody paused it or another controller insists."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

from reconciler.core.quarrel import Quarrel, repaired
from reconciler.flow.fan import fan
from reconciler.flow.operator.keeper import Sight
from reconciler.flow.operator.repair import Mended, Sound, Unmended, repair
from reconciler.flow.operator.state import Outfit, State
from reconciler.model.happenings import ConflictFound, DriftRepaired
from reconciler.model.manifests import RANK, ObjectId
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass
from reconciler.ports import Cluster, Event, EventKind


class Unrepaired(Exception):
    """Objects that could not be put right now; they are tried again."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What an event asks for: a repair for a tenant, or a pass. Neither where it was ours or nothing."""

    tenant: str | None = None
    stray: bool = False
    healed: Ref | None = None
    """Whose health has changed."""


class Told(Protocol):
    """Hears whose objects were mended."""

    def __call__(self, owner: Ref, *, repaired: bool) -> None:
        """One of this owner."""


class Mending:
    """Objects that are not as they were last applied, by tenant."""

    def __init__(self, outfit: Outfit, state: State, cluster: Cluster, told: Told) -> None:
        self._outfit, self._state, self._cluster, self._told = outfit, state, cluster, told
        self._dirty: dict[str, dict[ObjectId, float]] = defaultdict(dict)
        """By tenant: what to look at, and when it was noticed."""

    def notice(self, event: Event) -> Noticed:
        """Takes an event of the watch of what we have applied."""
        observed, keeper = event.observed, self._state.keeper
        if observed is None:
            return Noticed()
        before = keeper.health.get(observed.id)
        sight = keeper.gone(observed) if event.kind is EventKind.GONE else keeper.seen(observed)
        kept = keeper.get(observed.id)
        healed = kept.manifest.owner if kept and keeper.health.get(observed.id) != before else None
        if sight is not Sight.DRIFTED:
            return Noticed(stray=sight is Sight.STRAY, healed=healed)
        return Noticed(self.look_at(observed.id), healed=healed)

    def look_at(self, id: ObjectId) -> str | None:
        """Makes an object due to be looked at; its tenant, or None where it is not kept."""
        kept = self._state.keeper.get(id)
        if kept is None:
            return None
        owner = kept.manifest.owner
        tenant = owner.tenant or owner.name
        self._dirty[tenant].setdefault(id, asyncio.get_running_loop().time())
        return tenant

    async def mend(self, tenant: str) -> None:
        """Puts right what is due in a tenant: namespaces first, then in the order of an apply. Raises Unrepaired, Unreachable."""
        due = self._dirty.pop(tenant, {})
        ordered = sorted(due, key=lambda id: (RANK.get((id.group, id.kind), 0), id))
        try:
            spaces = await fan([id for id in ordered if id.kind == "Namespace"], lambda id: self._one(id, due[id]))
            others = await fan([id for id in ordered if id.kind != "Namespace"], lambda id: self._one(id, due[id]))
        except BaseException:
            self._dirty[tenant] = {**due, **self._dirty.get(tenant, {})}
            raise
        left = {id: since for id, since in due.items() if id in (*spaces, *others)}
        if left:
            self._dirty[tenant] = {**left, **self._dirty.get(tenant, {})}
            raise Unrepaired(f"{len(left)} of {len(due)} objects of {tenant} could not be put right")

    async def _one(self, id: ObjectId, since: float) -> ObjectId | None:
        """The object where it has to be tried again."""
        state, now = self._state, self._outfit.clock.now()
        kept, graph = state.keeper.get(id), state.graph
        if kept is None or graph is None or state.pause_of(kept.manifest.owner, now):
            return None
        if state.quarrels.get(id, Quarrel()).is_on(now):
            return None
        match await repair(self._cluster, state.keeper, state.equality, graph, id, state.applied):
            case Mended() as mended:
                self._mended(mended, since)
            case Unmended():
                return id
            case Sound():
                pass
        return None

    def _mended(self, mended: Mended, since: float) -> None:
        state, listener = self._state, self._outfit.listener
        kept = state.keeper.get(mended.id)
        assert kept is not None
        owner = kept.manifest.owner
        state.keeper.put(mended.id, mended.uid)
        seconds = asyncio.get_running_loop().time() - since
        self._told(owner, repaired=True)
        listener.hear(DriftRepaired(mended.id, owner, mended.fields, mended.managers, seconds))
        before = state.quarrels.get(mended.id, Quarrel())
        after = state.quarrels[mended.id] = repaired(before, mended.managers, self._outfit.clock.now())
        if after.truces > before.truces:
            listener.hear(ConflictFound(mended.id, owner, mended.managers))
