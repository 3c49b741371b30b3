"""Quarrels: another controller that keeps writing what we own. After three rounds we leave the field to it for a while, and say so.

The wait doubles from a minute to an hour (compare Crossplane's circuit breaker of 2025, which opens on a burst of events).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.model.value import dataclass

ROUNDS = 3
WINDOW = timedelta(minutes=2)
FIRST, LAST = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Quarrel:
    """Repairs of one object, the newest last, and until when it is left alone."""

    repairs: tuple[datetime, ...] = ()
    managers: tuple[str, ...] = ()
    """Who else wrote our fields, the last time."""
    truces: int = 0
    until: datetime | None = None

    def is_on(self, now: datetime) -> bool:
        """Whether the object is left alone now."""
        return self.until is not None and now < self.until

    def is_over(self, now: datetime) -> bool:
        """Whether nothing has been repaired for so long that it is forgotten."""
        since = max((*self.repairs[-1:], *((self.until,) if self.until else ())), default=now)
        return now - since > WINDOW + LAST


def repaired(before: Quarrel, managers: tuple[str, ...], now: datetime) -> Quarrel:
    """What an object's repair makes of it: one more round, or the beginning of a truce."""
    recent = (*(moment for moment in before.repairs if now - moment <= WINDOW), now)
    again = before.until is not None and now - before.until <= WINDOW
    if len(recent) < ROUNDS and not again:
        return Quarrel(recent, managers, before.truces if before.until else 0, before.until)
    truces = before.truces + 1
    return replace(before, repairs=(), managers=managers, truces=truces, until=now + min(FIRST * 2 ** (truces - 1), LAST))
