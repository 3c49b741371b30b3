"""An outbox in memory: what a process still has to tell while it lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from reconciler.ports import Letter

KEPT = 1000
"""Letters for each target; the oldest go first when there are more."""


class MemoryOutbox:
    """The port Outbox without a disk."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._letters: dict[str, dict[str, Letter]] = {}
        self._told: dict[str, str] = {}

    def told(self) -> Mapping[str, str]:
        """By subject: the digest of what was last told of it."""
        return dict(self._told)

    def put(self, letters: Iterable[Letter], said: Mapping[str, str], now: datetime) -> None:  # noqa: ARG002 - as the port has it
        """Spool letters together with what they say."""
        for letter in letters:
            queue = self._letters.setdefault(letter.target, {})
            queue[letter.id] = letter
            while len(queue) > self._kept:
                del queue[next(iter(queue))]
        self._told.update(said)

    def due(self, now: datetime) -> tuple[Letter, ...]:
        """The oldest letter of each target, where its time has come."""
        first = (next(iter(queue.values())) for queue in self._letters.values() if queue)
        return tuple(letter for letter in first if letter.due <= now)

    def retry(self, letter: Letter) -> None:
        """It keeps its place."""
        queue = self._letters.get(letter.target, {})
        if letter.id in queue:
            queue[letter.id] = letter

    def done(self, letter: Letter) -> None:
        """It is forgotten."""
        self._letters.get(letter.target, {}).pop(letter.id, None)

    def waiting(self) -> int:
        """How many letters there are."""
        return sum(map(len, self._letters.values()))
