"""Together: work that runs beside a block, and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence


@contextlib.asynccontextmanager
async def together(*work: Awaitable[None]) -> AsyncIterator[Sequence[asyncio.Future[None]]]:
    """Runs these beside the block. One that fails ends the block; when the block ends they are cancelled."""
    owner = asyncio.current_task()
    tasks = [asyncio.ensure_future(one) for one in work]
    ends = False
    assert owner is not None

    def failed(task: asyncio.Future[None]) -> None:
        if not task.cancelled() and task.exception() is not None and not ends:
            owner.cancel()

    for task in tasks:
        task.add_done_callback(failed)
    try:
        yield tasks
    except asyncio.CancelledError:
        faults = [task.exception() for task in tasks if task.done() and not task.cancelled()]
        fault = next((fault for fault in faults if fault is not None), None)
        if fault is None:
            raise
        owner.uncancel()
        raise fault from None
    finally:
        ends = True  # a fault from here on must not cut short the wait for the others
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def first_of(*work: Awaitable[None]) -> None:
    """Until the first of these ends; the others are cancelled. Raises what it raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
