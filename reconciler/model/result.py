"""The result of an apply: one outcome a step, and how the run ended."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model.manifests import ObjectId
from reconciler.model.value import dataclass


class Ending(StrEnum):
    """How a run ended; the shell turns it into an exit code."""

    COMPLETED = "completed"
    """All as desired."""
    REFUSED = "refused"
    """Nothing was written."""
    FAILED = "failed"
    """Something failed; what was applied before stays."""
    HELD = "held"
    """Something waits for a person: what guards hold, an unsafe hold, a wave; all else that could be done is done."""
    PAUSED = "paused"
    """Somebody paused all that there was to do."""
    BLOCKED = "blocked"
    """A wave did not become healthy, or a write cannot be done."""
    EXPIRED = "expired"
    """The deadline passed with nothing failed."""
    LOCKED = "locked"
    """Another writer holds the Lease."""
    STALE = "stale"
    """The saved plan is not what would be planned now."""
    CANCELLED = "cancelled"
    """Interrupted by a person."""


class Status(StrEnum):
    """What became of one step."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    """Left out of the run: refused, paused, or waiting for a person. The reason says which."""


class Proof(StrEnum):
    """Whether what was written is known to be good."""

    GIVEN = "given"
    """It is healthy, or nobody asks."""
    AWAITED = "awaited"
    """The run ended before it was healthy, or a person's word is still to come."""
    FAILED = "failed"
    """It is not healthy, and will not be by itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step, and why where it is not done."""

    id: ObjectId
    action: str
    status: Status
    reason: str = ""
    owner: str = ""
    proof: Proof = Proof.GIVEN
    """Of a step that is done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an apply did."""

    plan_hash: str
    outcomes: tuple[Outcome, ...]
    ending: Ending
    message: str = ""
    """One sentence: what happened, what was and was not applied, what to do."""

    def count(self, status: Status) -> int:
        """How many steps ended so."""
        return sum(outcome.status is status for outcome in self.outcomes)
