"""A stopwatch: how long the phases of a run took."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Stopwatch:
    """Seconds by phase, by the loop's clock, which no change of the wall clock moves."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def measured(self, phase: str) -> Iterator[None]:
        """Measures what is done inside."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + loop.time() - began
