"""The scribe: writes runs down in the ledger, beside the loop. A ledger that is slow, full or broken delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from reconciler.flow.planning import Planned
from reconciler.flow.verdict import state_of
from reconciler.model.result import Result, Status
from reconciler.ports import Ledger, RunRecord, RunState

KEPT = 100
"""Entries that may wait to be written; the oldest are lost first."""


class Scribe:
    """Runs on their way into the ledger."""

    def __init__(self, ledger: Ledger, author: str) -> None:
        self._ledger, self._author = ledger, author
        self._todo: asyncio.Queue[Callable[[], None]] = asyncio.Queue(KEPT)
        self._runs: dict[str, RunRecord] = {}

    def begin(self, run: str, planned: Planned, now: datetime) -> None:
        """A run begins."""
        plan = planned.plan
        record = RunRecord(run, plan.environment, plan.revision, plan.hash, RunState.RUNNING, now, None, self._author)
        self._runs[run] = record
        self._put(lambda: self._ledger.begin(record, plan))

    def finish(self, run: str, result: Result, now: datetime) -> None:
        """It ended."""
        summary = {status.value: result.count(status) for status in Status}
        ended = replace(self._runs.pop(run), state=state_of(result.ending), ended=now, summary=summary, message=result.message)
        self._put(lambda: self._ledger.finish(ended, result))

    async def run(self) -> None:
        """Writes until it is cancelled."""
        while True:
            await asyncio.to_thread(await self._todo.get())

    def _put(self, entry: Callable[[], None]) -> None:
        if self._todo.full():
            self._todo.get_nowait()
        self._todo.put_nowait(entry)
