"""The chronicle: keeps the journal in the target up to date, at most one write a second, none where nothing is new."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from reconciler.core.journal import RUNS, Asked, Fallen, Journal, RunEntry, decode, encode
from reconciler.flow.operator.desire import Desire
from reconciler.model.happenings import BuildPutBack, Happening, LeaseChanged, RunBegan, RunEnded, SourceChanged
from reconciler.model.manifests import ObjectId
from reconciler.model.result import Ending
from reconciler.ports import Clock, Cluster, Refused, Unreachable

PAUSE, LONGEST = 1.0, 60.0
"""Seconds between two writes; of one that does not get through, up to so many."""
RUNNING = "running"


class Chronicle:
    """A listener. What it hears before it begins to write is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._journal = Journal()
        self._news = asyncio.Event()
        self._place: tuple[Cluster, ObjectId] | None = None

    def hear(self, happening: Happening) -> None:
        """Takes it down."""
        before, now = self._journal, self._clock.now().isoformat(timespec="seconds")
        match happening:
            case SourceChanged(state=state, revision=revision, message=message):
                self._journal = replace(before, source=state.value, revision=revision, message=message)
            case BuildPutBack(ref=ref, failed=failed, message=message):
                fallen = Fallen(now, str(ref), f"{failed} is given up; it is {message}")
                self._journal = replace(before, fallen=(fallen, *before.fallen)[:RUNS])
            case RunBegan(run=run, revision=revision, because=because):
                entry = RunEntry(run, revision, because, now, "", RUNNING, "")
                self._journal = replace(before, runs=before.with_run(entry))
            case RunEnded() as ended:
                self._journal = replace(before, runs=before.with_run(self._ended(ended, now)))
            case LeaseChanged(held=True, holder=holder):
                self._journal = replace(before, holder=holder)
            case _:
                return
        if self._journal != before:
            self._news.set()

    def asks(self, asked: tuple[Asked, ...]) -> None:
        """What waits for a person now."""
        if self._journal.asked != asked:
            self._journal = replace(self._journal, asked=asked)
            self._news.set()

    def read(self, desire: Desire) -> None:
        """Files that are broken now, and where they were good; what people have agreed to."""
        now = replace(self._journal, lasting=dict(desire.lasting.files), consents=dict(desire.consents))
        if self._journal != now:
            self._journal = now
            self._news.set()

    async def begin(self, cluster: Cluster, id: ObjectId) -> None:
        """From now on it is written there. What an operator before this one wrote of runs is kept. Raises Unreachable."""
        standing = decode(await cluster.read(id))
        known = {run.id for run in self._journal.runs}
        before = [run for run in standing.runs if run.id not in known]
        runs = (*self._journal.runs, *map(_over, before))
        if any(run.ending == RUNNING for run in before):
            self._news.set()
        fallen = tuple(dict.fromkeys((*self._journal.fallen, *standing.fallen)))[:RUNS]
        self._journal, self._place = replace(self._journal, runs=runs, fallen=fallen), (cluster, id)

    async def flush(self) -> bool:
        """Writes what is new, if anything is; False where that was refused, and is new still. Raises Unreachable."""
        if self._place is None or not self._news.is_set():
            return True
        cluster, id = self._place
        self._news.clear()
        try:
            answer = await cluster.apply(encode(id, self._journal), dry_run=False, force=True)
        except BaseException:
            self._news.set()
            raise
        if isinstance(answer, Refused):
            self._news.set()
        return not isinstance(answer, Refused)

    async def keep(self) -> None:
        """Writes what is new until it is cancelled."""
        pause = PAUSE
        while True:
            await self._news.wait()
            written = False
            with contextlib.suppress(Unreachable):
                written = await self.flush()
            pause = PAUSE if written else min(pause * 2, LONGEST)
            await asyncio.sleep(pause)

    def _ended(self, run: RunEnded, now: str) -> RunEntry:
        known = next((one for one in self._journal.runs if one.id == run.run), None)
        began, because = (known.began, known.because) if known else (now, "")
        return RunEntry(
            run.run, run.revision, because, began, now, run.ending.value, run.message, run.created, run.updated, run.deleted, run.failed
        )


def _over(run: RunEntry) -> RunEntry:
    """A run of an operator before this one: whoever has the Lease now knows that it does not go on."""
    if run.ending != RUNNING:
        return run
    return replace(run, ending=Ending.CANCELLED.value, message="its operator ended before it did; the next run takes it up")
