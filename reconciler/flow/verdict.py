"""How a run ended: for whoever stopped it, and for the ledger."""

from __future__ import annotations

from reconciler.model.result import Ending
from reconciler.ports import RunState

Endings = tuple[Ending, str]
"""An ending and the sentence that tells it."""


def interrupted(reason: str) -> Ending:
    """A lost Lease is another writer's; anything else is a person's wish."""
    return Ending.LOCKED if "Lease" in reason else Ending.CANCELLED


def state_of(ending: Ending) -> RunState:
    """The state that a run ends in."""
    match ending:
        case Ending.COMPLETED:
            return RunState.COMPLETED
        case Ending.CANCELLED:
            return RunState.CANCELLED
        case Ending.PAUSED:
            return RunState.PAUSED
        case Ending.HELD | Ending.BLOCKED | Ending.REFUSED | Ending.LOCKED | Ending.STALE:
            return RunState.BLOCKED
        case Ending.FAILED | Ending.EXPIRED:
            return RunState.FAILED
