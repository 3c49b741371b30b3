"""The result of an apply: one outcome a step, and how the run ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.manifests import ObjectId


class Ending(StrEnum):
    """How a run ended; the shell turns it into an exit code."""

    COMPLETED = "completed"
    """All as desired."""
    REFUSED = "refused"
    """Nothing was written."""
    FAILED = "failed"
    """Something failed; what was applied before stays."""
    HELD = "held"
    """Guards hold deletions; all else is done."""
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step, and why where it is not done."""

    id: ObjectId
    action: str
    status: Status
    reason: str = ""
    owner: str = ""


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
