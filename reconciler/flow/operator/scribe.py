"""The scribe: writes runs down in the ledger, beside the loop. A ledger that is slow, full or broken delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.flow.planning import Planned
from reconciler.flow.verdict import state_of
from reconciler.model.manifests import ObjectId
from reconciler.model.result import Result, Status
from reconciler.ports import Ledger, Progress, RunRecord, RunState, StepState

_WAITED = frozenset({("apps", "Deployment"), ("batch", "Job")})
"""Kinds whose health is waited for."""
KEPT = 100
"""Entries that may wait to be written; the oldest are lost first."""


class Scribe:
    """Runs on their way into the ledger."""

    def __init__(self, ledger: Ledger, author: str) -> None:
        self._ledger, self._author = ledger, author
        self._todo: asyncio.Queue[Callable[[], None]] = asyncio.Queue(KEPT)
        self._runs: dict[str, RunRecord] = {}

    def begin(self, run: str, planned: Planned, now: datetime) -> None:
        """A run is planned, and about to begin."""
        plan = planned.plan
        record = RunRecord(run, plan.environment, plan.revision, plan.hash, RunState.PLANNED, now, None, self._author)
        self._runs[run] = record
        self._put(lambda: self._ledger.begin(record, plan))

    def advance(self, run: str, steps: Mapping[str, StepState]) -> None:
        """It is under way, and this far."""
        record = self._runs[run] = replace(self._runs[run], state=RunState.RUNNING)
        self._put(lambda: self._ledger.advance(record, steps))

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


class Steps:
    """Progress of one run, written down as it is made: what is written, and what is healthy, phase by phase."""

    def __init__(self, scribe: Scribe, run: str, progress: Progress) -> None:
        self._scribe, self._run, self._progress = scribe, run, progress
        self._states: dict[str, StepState] = {}

    def phase(self, name: str, total: int) -> None:
        """What was done in the one before is written down."""
        self._scribe.advance(self._run, self._states)
        self._states = {}
        self._progress.phase(name, total)

    def step(self, id: ObjectId, text: str) -> None:
        """Written, deleted, or healthy."""
        match text:
            case "created" | "updated" if (id.group, id.kind) in _WAITED:
                self._states[str(id)] = StepState.NEEDS_QA
            case "created" | "updated" | "deleted" | "healthy":
                self._states[str(id)] = StepState.COMPLETED
            case _:
                pass  # why it is not, is told at the end
        self._progress.step(id, text)

    def say(self, text: str) -> None:
        """Handed on."""
        self._progress.say(text)
