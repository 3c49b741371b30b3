"""Answers without an end: how they begin and how they are dropped.

Whoever waits for one may be cancelled, the connection may not: asyncio (3.11) loses a socket whose TLS handshake is cancelled as it
begins. And a TLS connection that is closed politely outlives the loop, so what is dropped is aborted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import aiohttp

_PATIENCE = 2.0


class Openings:
    """Answers under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[aiohttp.ClientResponse]] = set()

    @asynccontextmanager
    async def begun(self, opening: Awaitable[aiohttp.ClientResponse]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer once its head is there; at the end its connection is dropped if it has not ended.

        Cancelled, it leaves at once, and what was under way is dropped when it arrives.
        """
        task = asyncio.ensure_future(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            response = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_arrived)
            raise
        try:
            yield response
        finally:
            _drop(response)

    async def settle(self) -> None:
        """Wait a little for what nobody waits for any more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)


def _arrived(task: asyncio.Task[aiohttp.ClientResponse]) -> None:
    if not task.cancelled() and task.exception() is None:
        _drop(task.result())


def _drop(response: aiohttp.ClientResponse) -> None:
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()
