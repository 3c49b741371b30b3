"""Fan out: the same work on many things, a bounded number at a time, stoppable between two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WIDTH = 24
"""Requests in flight. More are not answered sooner by one API server, and each connection has its buffers."""


class Stop:
    """Asks a run to end: between two writes, and at once while it waits. `reason` says who asked."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason = ""

    def set(self, reason: str) -> None:
        """Ask. The first reason counts."""
        self.reason = self.reason or reason
        self._event.set()

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Until somebody asks."""
        await self._event.wait()


async def fan(items: Iterable[T], work: Callable[[T], Awaitable[R]], stop: Stop | None = None) -> list[R]:
    """Results in the order of the items. What has begun is finished even when `stop` is set; what has not is left out.

    The first exception is raised once everything begun has ended.
    """
    queue = iter(enumerate(items))
    results: dict[int, R] = {}
    failures: list[BaseException] = []

    async def worker() -> None:
        for number, item in queue:
            if failures or (stop is not None and stop.is_set()):
                return
            try:
                results[number] = await work(item)
            except Exception as failure:  # noqa: BLE001 - raised below, once the others have ended
                failures.append(failure)

    await asyncio.gather(*(worker() for _ in range(WIDTH)))
    if failures:
        raise failures[0]
    return [results[number] for number in sorted(results)]
