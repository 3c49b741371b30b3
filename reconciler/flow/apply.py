"""Apply: a plan made true, in the order that lets every interruption be taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.core.health import Failed, Health, Healthy, Progressing, waits
from reconciler.core.home import NAMESPACE
from reconciler.core.waves import Write, early, guarded, late, of_stage, waves
from reconciler.flow import told
from reconciler.flow.bookkeeping import Books, FenceLost, is_settled
from reconciler.flow.fan import Stop, fan
from reconciler.flow.lease import LeaseHeld, lease
from reconciler.flow.planning import Planned, preview
from reconciler.flow.verdict import Endings, interrupted
from reconciler.flow.wait import await_health
from reconciler.flow.writing import remove, write
from reconciler.model.manifests import ObjectId, Stage
from reconciler.model.plan import Block, Delete, step_id
from reconciler.model.result import Ending, Outcome, Result, Status
from reconciler.ports import Accepted, Clock, Cluster, Progress, Refused

LAST = 2**31
"""After every wave."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run behaves. `wave_seconds` bounds the wait for one wave."""

    holder: str
    revision: str
    wait: bool = True
    wait_for_lease: bool = True
    wave_seconds: float = 600


@dataclass(slots=True)
class Account:
    """What a run has done so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    uids: dict[ObjectId, str] = field(default_factory=dict)
    health: dict[ObjectId, Health] = field(default_factory=dict)

    def has_failed(self) -> bool:
        """Whether a write failed."""
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    @property
    def gone(self) -> frozenset[ObjectId]:
        """What was deleted."""
        return frozenset(outcome.id for outcome in self.outcomes if outcome.action == "delete" and outcome.status is Status.DONE)

    @property
    def done(self) -> frozenset[ObjectId]:
        """Everything that has an outcome."""
        return frozenset(outcome.id for outcome in self.outcomes)


async def apply(planned: Planned, cluster: Cluster, clock: Clock, progress: Progress, stop: Stop, settings: Settings) -> Result:
    """Carries the plan out. Raises Unreachable when the target stops answering; what was written by then is in the inventory."""
    blocks = tuple(planned.plan.of(Block))
    if blocks:
        return _result(planned, Account(), Ending.REFUSED, told.blocked(blocks))
    if planned.plan.is_empty and is_settled(planned):
        return _result(planned, Account(), Ending.COMPLETED, told.nothing())
    await cluster.apply(NAMESPACE, dry_run=False, force=True)
    environment = planned.graph.environment
    account = Account()
    try:
        async with lease(cluster, clock, environment, settings.holder, stop, progress, wait=settings.wait_for_lease) as fence:
            run = _Run(planned, cluster, clock, progress, stop, settings, account, fence)
            return await run.through()
    except LeaseHeld as held:
        return _result(planned, account, Ending.LOCKED, told.locked(held.holder))
    except FenceLost as lost:
        return _result(planned, account, Ending.LOCKED, f"{lost}; {told.applied(account.outcomes)}")


class _Run:
    """One apply under the Lease."""

    def __init__(
        self,
        planned: Planned,
        cluster: Cluster,
        clock: Clock,
        progress: Progress,
        stop: Stop,
        settings: Settings,
        account: Account,
        fence: int,
    ) -> None:
        self._planned, self._plan = planned, planned.plan
        self._cluster, self._clock, self._progress, self._stop = cluster, clock, progress, stop
        self._settings, self._account = settings, account
        self._books = Books(cluster, planned, fence, _told_revision(planned), waits=settings.wait)
        self._before = frozenset(
            id for id, entry in planned.world.inventory.entries.items() if entry.awaited and id in planned.world.objects
        )

    async def through(self) -> Result:
        """Every stage in order. The inventory is shrunk only when the outcome of every write is known: else it stays wide."""
        await self._books.widen()
        ending, message = await self._stages()
        await self._books.shrink(self._account.uids, self._account.gone, self._unwell())
        return _result(self._planned, self._account, ending, message)

    async def _stages(self) -> Endings:
        await self._write("namespaces", of_stage(self._plan, Stage.NAMESPACES))
        refused = await self._preflight()
        if refused:
            return Ending.FAILED, told.preflight(refused, self._account.outcomes)
        await self._remove("make room", early(self._plan))
        await self._write("tenants", of_stage(self._plan, Stage.TENANCY))
        if self._account.has_failed() or self._stop.is_set():
            return self._verdict()
        bad = await self._waves()
        if bad is not None:
            return bad
        if self._account.has_failed() or self._stop.is_set():
            return self._verdict()
        await self._remove("prune", late(self._plan, waited=self._settings.wait))
        return self._verdict()

    async def _preflight(self) -> dict[ObjectId, Refused]:
        manifests = [manifest for manifest in self._planned.desired if manifest.id in self._planned.deferred]
        if not manifests or self._account.has_failed():
            return {}
        self._progress.phase("preflight", len(manifests))
        answers = await preview(self._cluster, manifests, self._planned.world, self._planned.options)
        refused = {id: answer for id, answer in answers.items() if isinstance(answer, Refused)}
        foreign = {id for id, answer in answers.items() if isinstance(answer, Accepted) and not answer.created}
        if not self._planned.options.adopt:
            refused |= {id: Refused(409, "AlreadyExists", "it exists and is not ours; --adopt takes it over") for id in foreign}
        return refused

    async def _waves(self) -> Endings | None:
        waited = self._by_wave(self._before)
        for wave in waves(self._plan, self._planned.graph):
            earlier = sorted(number for number in waited if wave.number is not None and number < wave.number)
            for number in earlier:
                bad = await self._healthy(number, waited.pop(number))
                if bad:
                    return bad
            await self._write(f"wave {wave.number}" if wave.number is not None else "holds", wave.writes)
            if self._account.has_failed() or self._stop.is_set():
                return None
            changed = {step.manifest.id for step in wave.writes if waits(step.manifest.body)}
            if wave.number is None:
                waited.setdefault(LAST, set()).update(changed)
                continue
            bad = await self._healthy(wave.number, changed | waited.pop(wave.number, set()))
            if bad:
                return bad
        for number in sorted(waited):  # of an earlier run, and at the very end what a hold changed
            bad = await self._healthy(number, waited[number])
            if bad:
                return bad
        return None

    def _by_wave(self, ids: frozenset[ObjectId]) -> dict[int, set[ObjectId]]:
        found: dict[int, set[ObjectId]] = {}
        for manifest in self._planned.desired:
            if manifest.id in ids:
                found.setdefault(manifest.wave, set()).add(manifest.id)
        return found

    async def _healthy(self, number: int, ids: set[ObjectId]) -> Endings | None:
        if not self._settings.wait or not ids:
            return None
        what = "holds" if number == LAST else f"wave {number}"
        self._progress.phase(f"{what}: health", len(ids))

        def seen(id: ObjectId, health: Health) -> None:
            if not isinstance(health, Progressing):
                self._progress.step(id, "healthy" if isinstance(health, Healthy) else health.reason)

        environment = self._planned.graph.environment
        state = await await_health(self._cluster, self._clock, environment, ids, self._stop, self._settings.wave_seconds, seen)
        self._account.health.update(state)
        if self._stop.is_set():
            return interrupted(self._stop.reason), told.stopped(self._stop.reason, self._account.outcomes)
        sick = {id: health for id, health in state.items() if isinstance(health, Failed)}
        if sick:
            return Ending.BLOCKED, told.unhealthy(what, sick, self._rest())
        slow = {id: health for id, health in state.items() if isinstance(health, Progressing)}
        return (Ending.EXPIRED, told.late(what, slow, self._rest(), self._settings.wave_seconds)) if slow else None

    async def _write(self, phase: str, steps: Iterable[Write]) -> None:
        steps = tuple(steps)
        if not steps or self._stop.is_set() or self._account.has_failed():
            return
        self._progress.phase(phase, len(steps))
        standing = [step for step in steps if not waits(step.manifest.body)]
        workloads = [step for step in steps if waits(step.manifest.body)]
        for group in (standing, workloads):
            if not self._account.has_failed():
                await fan(group, self._one, self._stop)

    async def _one(self, step: Write) -> None:
        outcome, uid = await write(self._cluster, step, self._settings.revision)
        self._account.outcomes.append(outcome)
        if uid:
            self._account.uids[step.manifest.id] = uid
        self._progress.step(outcome.id, outcome.reason or outcome.action + "d")

    async def _remove(self, phase: str, steps: tuple[Delete, ...]) -> None:
        if not steps or self._stop.is_set() or self._account.has_failed():
            return
        self._progress.phase(phase, len(steps))

        async def one(step: Delete) -> None:
            outcome = await remove(self._cluster, step)
            self._account.outcomes.append(outcome)
            self._progress.step(outcome.id, outcome.reason or "deleted")

        for stage in (Stage.WORKLOADS, Stage.TENANCY, Stage.NAMESPACES):
            await fan([step for step in steps if step.stage is stage], one, self._stop)

    def _rest(self) -> int:
        done = self._account.done
        return sum(step_id(step) not in done for step in self._plan.steps)

    def _unwell(self) -> frozenset[ObjectId]:
        """What this run or one before changed and nobody has seen healthy since."""
        if not self._settings.wait:
            return frozenset()
        workloads = {manifest.id for manifest in self._planned.desired if waits(manifest.body)}
        changed = (self._account.uids.keys() & workloads) | self._before
        return frozenset(id for id in changed if not isinstance(self._account.health.get(id), Healthy))

    def _verdict(self) -> Endings:
        outcomes = self._account.outcomes
        if self._account.has_failed():
            return Ending.FAILED, told.failed(outcomes, self._rest())
        if self._stop.is_set():
            return interrupted(self._stop.reason), told.stopped(self._stop.reason, outcomes)
        held = tuple(step for step in self._plan.steps if isinstance(step, Delete) and step.guarded)
        suspended = tuple(step for step in self._plan.steps if not isinstance(step, Delete | Block) and guarded(step))
        if held or suspended:
            return Ending.HELD, told.held(self._plan, self._planned.graph.environment.name)
        return Ending.COMPLETED, told.completed(outcomes)


def _told_revision(planned: Planned) -> str:
    return planned.plan.revision + ("+edited" if planned.plan.dirty else "")


def _result(planned: Planned, account: Account, ending: Ending, message: str) -> Result:
    done = account.done
    skipped = tuple(
        Outcome(step_id(step), type(step).__name__.lower(), Status.SKIPPED, ending.value)
        for step in planned.plan.steps
        if step_id(step) not in done
    )
    return Result(planned.plan.hash, (*account.outcomes, *skipped), ending, message)
