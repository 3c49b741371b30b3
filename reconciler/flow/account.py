"""The account of a run: what it has done so far, and what became of each object."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.approval import Question
from reconciler.core.aside import owner_of_step
from reconciler.core.health import Failed, Health, Healthy, Progressing, waits
from reconciler.flow.planning import Planned
from reconciler.model.manifests import ObjectId
from reconciler.model.plan import step_id
from reconciler.model.result import Ending, Outcome, Proof, Result, Status


@dataclass(slots=True)
class Account:
    """What a run has done so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    uids: dict[ObjectId, str] = field(default_factory=dict)
    """Of what was written."""
    since: dict[ObjectId, datetime] = field(default_factory=dict)
    """When workloads were written."""
    unjudged: set[ObjectId] = field(default_factory=set)
    """What waits for a person's word."""
    question: Question | None = None
    """What it asks, where it ended for that."""
    health: dict[ObjectId, Health] = field(default_factory=dict)
    """As last seen, of what was waited for."""

    def has_failed(self) -> bool:
        """Whether a write failed."""
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    @property
    def gone(self) -> frozenset[ObjectId]:
        """What was deleted."""
        return frozenset(outcome.id for outcome in self.outcomes if outcome.action == "delete" and outcome.status is Status.DONE)

    @property
    def done(self) -> frozenset[ObjectId]:
        """Everything that has an outcome."""
        return frozenset(outcome.id for outcome in self.outcomes)

    def rest(self, planned: Planned) -> int:
        """How many steps were not tried."""
        done = self.done
        return sum(step_id(step) not in done for step in planned.plan.steps)

    def unwell(self, planned: Planned) -> frozenset[ObjectId]:
        """What this run or one before it changed, and nobody has seen healthy since."""
        workloads = {manifest.id for manifest in planned.desired if waits(manifest.body)}
        changed = (self.uids.keys() & workloads) | awaited(planned)
        return frozenset(id for id in changed if not isinstance(self.health.get(id), Healthy))

    def result(self, planned: Planned, ending: Ending, message: str) -> Result:
        """The result of the run: every step of the plan has an outcome in it."""
        done = self.done
        skipped = tuple(
            Outcome(step_id(step), type(step).__name__.lower(), Status.SKIPPED, ending.value, owner_of_step(step))
            for step in planned.plan.steps
            if step_id(step) not in done
        )
        return Result(planned.plan.hash, (*map(self._proven, self.outcomes), *skipped), ending, message)

    def _proven(self, outcome: Outcome) -> Outcome:
        """With what is known of its health."""
        if outcome.status is not Status.DONE:
            return outcome
        match self.health.get(outcome.id):
            case Failed(reason=reason):
                return replace(outcome, proof=Proof.FAILED, reason=reason)
            case Progressing(reason=reason):
                return replace(outcome, proof=Proof.AWAITED, reason=reason)
            case _ if outcome.id in self.unjudged:
                return replace(outcome, proof=Proof.AWAITED, reason="it waits for a person's word on its wave")
            case _:
                return outcome


def awaited(planned: Planned) -> frozenset[ObjectId]:
    """What a run before this one changed and did not see healthy: this run waits for it, too."""
    world = planned.world
    return frozenset(id for id, entry in world.inventory.entries.items() if entry.awaited and id in world.objects)
