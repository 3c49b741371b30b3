"""Recording: a run in the ledger. Whatever the ledger does, the run goes on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.flow.apply import Settings
from reconciler.flow.planning import Planned
from reconciler.flow.verdict import state_of
from reconciler.model.result import Result, Status
from reconciler.ports import Ledger, RunRecord, RunState
from reconciler.shell.ledgers import open_ledger
from reconciler.shell.person import person


class Record:
    """One run while it goes on. Its history is written beside it, by a thread: opening a database takes as long as a hundred writes."""

    def __init__(self, worker: Executor, root: Path, run: RunRecord, planned: Planned) -> None:
        self._worker, self._run = worker, run
        self._ledger = worker.submit(_begun, root, run, planned) if not planned.plan.is_empty else None

    def finish(self, result: Result, now: datetime) -> None:
        """How it ended."""
        if self._ledger is None:
            return
        summary = {status.value: result.count(status) for status in Status}
        ended = replace(self._run, state=state_of(result.ending), ended=now, summary=summary, message=result.message)
        self._worker.submit(self._ledger.result().finish, ended, result).result()


def _begun(root: Path, run: RunRecord, planned: Planned) -> Ledger:
    ledger = open_ledger(root)
    ledger.begin(run, planned.plan)
    return ledger


@contextmanager
def recording(root: Path, planned: Planned, settings: Settings, now: datetime) -> Iterator[Record]:
    """A record of a run that is about to begin; a run with nothing to do leaves none."""
    run = RunRecord(
        id=uuid.uuid4().hex[:12],
        environment=planned.plan.environment,
        revision=settings.revision,
        plan_hash=planned.plan.hash,
        state=RunState.RUNNING,
        started=now,
        ended=None,
        author=person(),
    )
    with ThreadPoolExecutor(1, "ledger") as worker:
        yield Record(worker, root, run, planned)
