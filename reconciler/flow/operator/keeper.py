"""The keeper: what each object was last made to be, and whether what a watch shows of it still is that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum, auto

from reconciler.core.differ import differ
from reconciler.core.handover import handed_over
from reconciler.core.health import Failed, Health, health, waits
from reconciler.core.inventory import is_inventory
from reconciler.core.ownership import is_ours
from reconciler.flow.equality import Equality
from reconciler.flow.planning import Planned
from reconciler.model.manifests import Manifest, ObjectId, Observed
from reconciler.model.plan import Create, Plan, Update, step_id
from reconciler.model.refs import Ref
from reconciler.model.result import Status
from reconciler.model.value import dataclass


class Sight(Enum):
    """What to make of something a watch showed."""

    GOOD = auto()
    """As it was last applied, or nothing of ours."""
    DRIFTED = auto()
    """It was changed or taken away by somebody else."""
    BUSY = auto()
    """A run is about to write it; it is looked at again when that has ended."""
    STRAY = auto()
    """We have applied it once, and nobody declares it: a pass has to decide."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as it should be, and which one it is once it was written."""

    manifest: Manifest
    uid: str


class Keeper:
    """Knows objects by what they should be; bodies of live ones are looked at and let go."""

    def __init__(self, equality: Equality) -> None:
        self._equality = equality
        self._kept: dict[ObjectId, Kept] = {}
        self._desired: frozenset[ObjectId] = frozenset()
        self._coming: dict[ObjectId, Manifest | None] = {}
        self._later: set[ObjectId] = set()
        self.begun = asyncio.Event()
        """Set once a run has begun: before that nobody knows what anything should be."""
        self.health: dict[ObjectId, Health] = {}
        """Of workloads, as last seen."""

    def get(self, id: ObjectId) -> Kept | None:
        """What an object should be; None where we have not made it."""
        return self._kept.get(id)

    def put(self, id: ObjectId, uid: str) -> None:
        """A repair wrote it: this is the object from now on."""
        kept = self._kept.get(id)
        if kept is not None:
            self._kept[id] = replace(kept, uid=uid)

    def owners(self) -> Iterator[tuple[ObjectId, Ref]]:
        """Every object that is kept, with the spec it comes from."""
        return ((id, kept.manifest.owner) for id, kept in self._kept.items())

    def seen(self, observed: Observed) -> Sight:
        """An object was added or modified."""
        id = observed.id
        if waits(observed.body):
            self.health[id] = health(observed.body)
        if is_inventory(observed):
            return Sight.GOOD
        if id in self._coming:
            return self._under_way(observed)
        kept = self._kept.get(id)
        if kept is None:
            return Sight.STRAY if id not in self._desired and is_ours(observed.body) else Sight.GOOD
        return Sight.GOOD if self.is_good(kept.manifest, observed) else Sight.DRIFTED

    def gone(self, observed: Observed) -> Sight:
        """An object was deleted, or lost the label by which it is watched."""
        id = observed.id
        if waits(observed.body) and id in self.health:
            self.health[id] = Failed("it was deleted")
        if is_inventory(observed):
            return Sight.STRAY
        if id in self._coming:
            self._later.add(id)
            return Sight.BUSY
        return Sight.DRIFTED if id in self._kept else Sight.GOOD

    def is_good(self, manifest: Manifest, observed: Observed) -> bool:
        """Whether a live object is what a manifest says, letter by letter or by what a dry-run said of this version."""
        return not differ((handed_over(manifest, observed),), {observed.id: observed}, self._equality.is_equal)

    def begin(self, planned: Planned, plan: Plan) -> None:
        """A run begins, which carries out `plan`, a part of what was planned: what it is about to write is its business until it ends."""
        steps = {step_id(step) for step in planned.plan.steps}
        self._desired = frozenset(manifest.id for manifest in planned.desired)
        self._kept |= {
            manifest.id: Kept(manifest, planned.world.objects[manifest.id].uid)
            for manifest in planned.desired
            if manifest.id not in steps and manifest.id in planned.world.objects
        }
        self._coming = {step_id(step): step.manifest if isinstance(step, Create | Update) else None for step in plan.steps}
        self._later = set()
        self.begun.set()

    def end(self, planned: Planned, outcomes: Mapping[ObjectId, Status], uids: Mapping[ObjectId, str]) -> frozenset[ObjectId]:
        """It ended: what became of the steps of all that was planned, and which objects it wrote. Returns what has to be looked at again.

        What it did not get to, or left out, stays as it was made before, and what is not desired any more is nobody's to repair.
        """
        done = {
            manifest.id: Kept(manifest, uids.get(manifest.id, ""))
            for manifest in planned.desired
            if outcomes.get(manifest.id) is Status.DONE
        }
        kept = {id: kept for id, kept in (self._kept | done).items() if id in self._desired}
        self._kept, self._coming = kept, {}
        self.health = {id: state for id, state in self.health.items() if id in kept}
        later, self._later = frozenset(self._later), set()
        return later

    def _under_way(self, observed: Observed) -> Sight:
        coming, kept = self._coming[observed.id], self._kept.get(observed.id)
        if (coming and self.is_good(coming, observed)) or (kept and self.is_good(kept.manifest, observed)):
            return Sight.GOOD
        self._later.add(observed.id)
        return Sight.BUSY
