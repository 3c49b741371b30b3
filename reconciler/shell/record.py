"""Recording: a run in the ledger. Whatever the ledger does, the run goes on."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.flow.apply import Settings
from reconciler.flow.planning import Planned
from reconciler.model.result import Ending, Result, Status
from reconciler.ports import Ledger, RunRecord, RunState
from reconciler.shell.ledgers import open_ledger


class Record:
    """One run while it goes on."""

    def __init__(self, ledger: Ledger | None, run: RunRecord, planned: Planned) -> None:
        self._ledger, self._run = ledger, run
        if ledger is not None:
            ledger.begin(run, planned.plan)

    def finish(self, result: Result, now: datetime) -> None:
        """How it ended."""
        if self._ledger is None:
            return
        summary = {status.value: result.count(status) for status in Status}
        ended = replace(self._run, state=state_of(result.ending), ended=now, summary=summary, message=result.message)
        self._ledger.finish(ended, result)


@contextmanager
def recording(root: Path, planned: Planned, settings: Settings, now: datetime) -> Iterator[Record]:
    """A record of a run that is about to begin; a run with nothing to do leaves none."""
    ledger = None if planned.plan.is_empty else open_ledger(root)
    run = RunRecord(
        id=uuid.uuid4().hex[:12],
        environment=planned.plan.environment,
        revision=settings.revision,
        plan_hash=planned.plan.hash,
        state=RunState.RUNNING,
        started=now,
        ended=None,
        author=getpass.getuser(),
    )
    yield Record(ledger, run, planned)


def state_of(ending: Ending) -> RunState:
    """The state that a run ends in."""
    match ending:
        case Ending.COMPLETED:
            return RunState.COMPLETED
        case Ending.CANCELLED:
            return RunState.CANCELLED
        case Ending.HELD | Ending.BLOCKED | Ending.REFUSED | Ending.LOCKED | Ending.STALE:
            return RunState.BLOCKED
        case Ending.FAILED | Ending.EXPIRED:
            return RunState.FAILED
