"""How a run ended when somebody stopped it."""

from __future__ import annotations

from reconciler.model.result import Ending

Endings = tuple[Ending, str]
"""An ending and the sentence that tells it."""


def interrupted(reason: str) -> Ending:
    """A lost Lease is another writer's; anything else is a person's wish."""
    return Ending.LOCKED if "Lease" in reason else Ending.CANCELLED
