"""The beat of an asyncio loop: when it last turned, for whoever asks from another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Beat:
    """Its age grows while the loop is blocked, and while nothing runs it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last = monotonic()

    @property
    def age(self) -> float:
        """Seconds since the loop last turned."""
        return self._monotonic() - self._last

    async def run(self, every: float = 1.0) -> None:
        """Beat until cancelled."""
        while True:
            self._last = self._monotonic()
            await asyncio.sleep(every)
