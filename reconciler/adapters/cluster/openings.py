"""Answers that begin: whoever waits for one may be cancelled, the connection may not.

asyncio (3.11) loses a socket whose TLS handshake is cancelled as it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import aiohttp

_PATIENCE = 2.0


class Openings:
    """Answers under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[aiohttp.ClientResponse]] = set()

    async def begun(self, opening: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """The answer once its head is there. Cancelled, it leaves at once, and what was under way is closed when it arrives."""
        task = asyncio.ensure_future(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_closed)
            raise

    async def settle(self) -> None:
        """Wait a little for what nobody waits for any more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)


def _closed(task: asyncio.Task[aiohttp.ClientResponse]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
