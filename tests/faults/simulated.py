"""Simulated time: an event loop whose sleeps pass at once, in the right order, and a clock that goes with it and can be set."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Stuck(Exception):
    """Everybody waits for something that nobody will do."""


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never waits: moves the loop's time on instead."""

    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is due any more")
        self.loop.seconds += max(timeout, 0.0)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Threads of the executor run in line, so that a run depends on nothing but its inputs."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.seconds = 0.0
        super().__init__(selector)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as fault:  # noqa: BLE001 - as a thread would hand it over
            done.set_exception(fault)
        return done


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Runs it in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)


class SimulatedClock:
    """A wall clock on simulated time. `jump` sets it forward or back, as an administrator or a bad time server does."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time()) + self.offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump(self, by: timedelta) -> None:
        self.offset += by
