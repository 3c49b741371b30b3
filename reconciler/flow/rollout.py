"""The rollout: wave by wave, each waiting for the health of what this run (or one that was stopped) changed in it."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.health import Failed, Health, Healthy, Progressing, waits
from reconciler.core.qa import first_unjudged, question, unjudged, written
from reconciler.core.waves import waves
from reconciler.flow import told
from reconciler.flow.account import Account, awaited
from reconciler.flow.fan import Stop
from reconciler.flow.phases import Phases
from reconciler.flow.planning import Planned
from reconciler.flow.verdict import Endings, interrupted
from reconciler.flow.wait import await_health
from reconciler.model.manifests import ObjectId
from reconciler.model.result import Ending
from reconciler.model.value import dataclass
from reconciler.ports import Clock, Cluster, Progress

LAST = 2**31
"""After every wave: holds are written first and waited for last."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Whether and how long a wave is waited for, in seconds."""

    waits: bool
    seconds: float
    approved: str | None = None
    """What a person has approved, where waves wait for that, too; None where a person carries it out and judges for himself."""


class Rollout:
    """The waves of one run."""

    def __init__(
        self,
        planned: Planned,
        phases: Phases,
        account: Account,
        cluster: Cluster,
        clock: Clock,
        progress: Progress,
        stop: Stop,
        patience: Patience,
    ) -> None:
        self._planned, self._phases, self._account = planned, phases, account
        self._cluster, self._clock, self._progress, self._stop = cluster, clock, progress, stop
        self._patience = patience

    async def through(self) -> Endings | None:
        """Every wave; the ending when one of them stops the run."""
        pending = self._by_wave(awaited(self._planned))
        judged = frozenset[ObjectId]()
        if self._patience.approved is not None:
            judged = written(self._planned.plan, self._planned.graph)
            self._account.unjudged |= unjudged(self._planned.desired, self._planned.world.inventory)
        for wave in waves(self._planned.plan, self._planned.graph):
            number = LAST if wave.number is None else wave.number
            if wave.number is not None and (bad := await self._settled(pending, before=number)):
                return bad
            if judged and wave.number is not None and (ask := self._unasked(number)):
                return ask
            await self._phases.write("holds" if wave.number is None else f"wave {number}", wave.writes)
            if self._phases.is_over():
                return None
            done = {step.manifest.id for step in wave.writes if step.manifest.id in self._account.uids}
            workloads = {step.manifest.id for step in wave.writes if step.manifest.id in done and waits(step.manifest.body)}
            pending.setdefault(number, set()).update(workloads)
            self._account.since |= dict.fromkeys(workloads, self._clock.now())
            self._account.unjudged |= done & judged
            if wave.number is not None and (bad := await self._settled(pending, before=number + 1)):
                return bad
        if bad := await self._settled(pending, before=LAST + 1):
            return bad
        if self._planned.question is None:
            self._account.unjudged.clear()
        return None

    def _unasked(self, number: int) -> Endings | None:
        """Held where a wave before this one waits for a person's word."""
        planned, account = self._planned, self._account
        approved = self._patience.approved or ""
        found = first_unjudged(planned.graph, planned.desired, frozenset(account.unjudged), approved, number)
        waves = {manifest.id: manifest.wave for manifest in planned.desired if manifest.id in account.unjudged}
        first = found[0] if found is not None else number
        account.unjudged -= {id for id, wave in waves.items() if wave < first}
        if found is None:
            return None
        account.question = question(planned.plan, planned.graph, *found)
        return Ending.HELD, told.unjudged(account.question.text, account.rest(planned))

    def _by_wave(self, ids: Iterable[ObjectId]) -> dict[int, set[ObjectId]]:
        wanted = frozenset(ids)
        found: dict[int, set[ObjectId]] = {}
        for manifest in self._planned.desired:
            if manifest.id in wanted:
                found.setdefault(manifest.wave, set()).add(manifest.id)
        return found

    async def _settled(self, pending: dict[int, set[ObjectId]], before: int) -> Endings | None:
        """Waits for everything pending in waves before this one."""
        for number in sorted(number for number in pending if number < before):
            ids = pending.pop(number)
            if self._patience.waits and ids and (bad := await self._healthy("holds" if number == LAST else f"wave {number}", ids)):
                return bad
        return None

    async def _healthy(self, what: str, ids: set[ObjectId]) -> Endings | None:
        self._progress.phase(f"{what}: health", len(ids))
        environment, seconds = self._planned.graph.environment, self._patience.seconds
        state = await await_health(self._cluster, self._clock, environment, ids, self._stop, seconds, self._seen)
        self._account.health.update(state)
        if self._stop.is_set():
            return interrupted(self._stop.reason), told.stopped(self._stop.reason, self._account.outcomes)
        rest = self._account.rest(self._planned)
        sick = {id: health for id, health in state.items() if isinstance(health, Failed)}
        if sick:
            return Ending.BLOCKED, told.unhealthy(what, sick, rest)
        slow = {id: health for id, health in state.items() if isinstance(health, Progressing)}
        return (Ending.EXPIRED, told.late(what, slow, rest, seconds)) if slow else None

    def _seen(self, id: ObjectId, health: Health) -> None:
        match health:
            case Healthy():
                self._progress.step(id, "healthy")
            case Failed(reason=reason):
                self._progress.step(id, reason)
            case Progressing():
                pass
