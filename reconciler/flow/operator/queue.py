"""The work queue: keys, not events. A key is worked on by one worker at a time, and what comes in meanwhile makes it due once more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")

WIDTH = 8
"""Keys worked on at once."""
FIRST_RETRY, LAST_RETRY = 1.0, 300.0
"""Seconds before a key whose work raised is tried again: doubled each time."""


class Queue(Generic[K]):
    """Keys that are due, coalesced. `failed` hears of work that raised; the key is tried again later and later."""

    def __init__(
        self, work: Callable[[K], Awaitable[None]], failed: Callable[[K, Exception], None], time: Callable[[], float], width: int = WIDTH
    ) -> None:
        self._work, self._failed, self._now, self._width = work, failed, time, width
        self._due: dict[K, float] = {}
        self._running: set[K] = set()
        self._tries: dict[K, int] = {}
        self._changed = asyncio.Event()

    def wake(self, key: K, delay: float = 0.0) -> None:
        """The key is due in `delay` seconds, or sooner if it was due sooner."""
        at = self._now() + delay
        self._due[key] = min(self._due.get(key, at), at)
        self._changed.set()

    @property
    def depth(self) -> int:
        """Keys that wait or are worked on."""
        return len(self._due.keys() | self._running)

    def age(self) -> float:
        """How long the key waits that is overdue the longest, in seconds. One that is to come later does not wait."""
        now = self._now()
        return max((now - at for at in list(self._due.values()) if at <= now), default=0.0)

    async def run(self) -> None:
        """Works until it is cancelled, which cancels what is under way."""
        async with asyncio.TaskGroup() as workers:
            while True:
                self._changed.clear()
                for key in self._ready():
                    del self._due[key]
                    self._running.add(key)
                    workers.create_task(self._one(key))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next()):
                        await self._changed.wait()

    def _ready(self) -> list[K]:
        now, room = self._now(), self._width - len(self._running)
        ready = [key for key, at in self._due.items() if at <= now and key not in self._running]
        return sorted(ready, key=self._due.__getitem__)[: max(room, 0)]

    def _until_next(self) -> float | None:
        """Seconds until a key is due; None while only the end of other work can change anything."""
        if len(self._running) >= self._width:
            return None
        times = [at for key, at in self._due.items() if key not in self._running]
        return max(min(times) - self._now(), 0.0) if times else None

    async def _one(self, key: K) -> None:
        try:
            await self._work(key)
            self._tries.pop(key, None)
        except Exception as fault:  # noqa: BLE001 - told, and tried again: one bad key must not end the others
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            self._failed(key, fault)
            self.wake(key, min(FIRST_RETRY * 2 ** min(tries - 1, 20), LAST_RETRY))
        finally:
            self._running.discard(key)
            self._changed.set()
