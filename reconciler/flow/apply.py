"""Apply: a plan made true, in the order that lets every interruption be taken up again."""

from __future__ import annotations

from reconciler.core.acting import opens
from reconciler.core.aside import is_guarded
from reconciler.core.home import NAMESPACE
from reconciler.core.waves import access, early, governance, late, of_stage
from reconciler.flow import told
from reconciler.flow.account import Account
from reconciler.flow.bookkeeping import Books, FenceLost, is_settled
from reconciler.flow.fan import Stop
from reconciler.flow.lease import LeaseHeld, lease
from reconciler.flow.phases import Phases
from reconciler.flow.planning import Planned, preview
from reconciler.flow.rollout import Patience, Rollout
from reconciler.flow.verdict import Endings, interrupted
from reconciler.model.manifests import Manifest, ObjectId, Stage
from reconciler.model.plan import Block, Create
from reconciler.model.result import Ending, Result
from reconciler.model.value import dataclass
from reconciler.ports import Accepted, Clock, Cluster, Progress, Refused, Unreachable


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run behaves. `wave_seconds` bounds the wait for one wave."""

    holder: str
    revision: str
    wait: bool = True
    wait_for_lease: bool = True
    wave_seconds: float = 600
    isolate: bool = False
    """What is refused of one owner sets that owner aside, and the others go on.

    So nothing is tried before it is written in a namespace that this very run makes: nobody else's is there, and no owner waits for another.
    """
    approved: str | None = None
    """What a person has approved, where waves wait for that; None asks nobody."""


async def apply(planned: Planned, cluster: Cluster, clock: Clock, progress: Progress, stop: Stop, settings: Settings) -> Result:
    """Carries the plan out. Raises Unreachable while nothing was written yet; after that a target that falls silent is a failed run."""
    account = Account()
    blocks = tuple(planned.plan.of(Block))
    if blocks:
        return account.result(planned, Ending.REFUSED, told.blocked(blocks))
    if planned.plan.is_empty and is_settled(planned):
        return account.result(planned, Ending.COMPLETED, told.nothing())
    environment = planned.graph.environment
    try:
        await cluster.apply(NAMESPACE, dry_run=False, force=True)
        async with lease(cluster, clock, environment, settings.holder, stop, progress, wait=settings.wait_for_lease) as fence:
            return await carry_out(planned, cluster, clock, progress, stop, settings, fence, account)
    except LeaseHeld as held:
        if stop.is_set():
            return account.result(planned, interrupted(stop.reason), told.stopped(stop.reason, ()))
        return account.result(planned, Ending.LOCKED, told.locked(held.holder))
    except Unreachable as lost:
        if not account.outcomes and not lost.ambiguous:
            raise Unreachable(told.never_begun(str(lost)), lost.fix) from None
        return account.result(planned, Ending.FAILED, told.lost(str(lost), lost.fix, account.outcomes, len(planned.plan.steps)))


async def carry_out(
    planned: Planned, cluster: Cluster, clock: Clock, progress: Progress, stop: Stop, settings: Settings, fence: int, account: Account
) -> Result:
    """Every stage of a plan, by whoever holds the Lease. Raises Unreachable; `account` says what was done until then."""
    phases = Phases(cluster, progress, stop, account, settings.revision, isolate=settings.isolate)
    patience = Patience(settings.wait, settings.wave_seconds, settings.approved)
    rollout = Rollout(planned, phases, account, cluster, clock, progress, stop, patience)
    books = Books(cluster, planned, fence, _told_revision(planned), waits=settings.wait)
    try:
        return await _Run(planned, cluster, progress, stop, account, phases, rollout, books, settings).through()
    except FenceLost as lost:
        return account.result(planned, Ending.LOCKED, f"{lost}; {told.applied(account.outcomes)}")


class _Run:
    """One apply under the Lease: the order of its stages."""

    def __init__(
        self,
        planned: Planned,
        cluster: Cluster,
        progress: Progress,
        stop: Stop,
        account: Account,
        phases: Phases,
        rollout: Rollout,
        books: Books,
        settings: Settings,
    ) -> None:
        self._planned, self._plan, self._cluster, self._progress, self._stop = planned, planned.plan, cluster, progress, stop
        self._account, self._phases, self._rollout, self._books = account, phases, rollout, books
        self._waits, self._isolate = settings.wait, settings.isolate

    async def through(self) -> Result:
        """Every stage in order. The inventory is shrunk only when the outcome of every write is known: else it stays wide."""
        await self._books.install()
        await self._books.widen()
        ending, message = await self._stages()
        unwell = self._account.unwell(self._planned) if self._waits else frozenset[ObjectId]()
        await self._books.shrink(self._account, unwell)
        return self._account.result(self._planned, ending, message)

    async def _stages(self) -> Endings:
        phases, plan = self._phases, self._plan
        await phases.write("namespaces", of_stage(plan, Stage.NAMESPACES))
        waiting = self._waiting()
        refused = await self._preflight([manifest for manifest in waiting if opens(manifest.id)])
        if not refused:
            await phases.write("accounts", access(plan))
            refused = await self._preflight([manifest for manifest in waiting if not opens(manifest.id)])
        if refused:
            return Ending.FAILED, told.preflight(refused, self._account.outcomes)
        await phases.remove("make room", early(plan))
        await phases.write("tenants", governance(plan))
        if not phases.is_over():
            bad = await self._rollout.through()
            if bad is not None:
                return bad
        await phases.remove("prune", late(plan, waited=self._waits))
        return self._verdict()

    def _waiting(self) -> list[Manifest]:
        """What is to be previewed once its namespace and its account are there."""
        made = (
            {step.manifest.id.name for step in of_stage(self._plan, Stage.NAMESPACES) if isinstance(step, Create)} if self._isolate else ()
        )
        deferred = self._planned.deferred
        return [manifest for manifest in self._planned.desired if manifest.id in deferred and manifest.id.namespace not in made]

    async def _preflight(self, manifests: list[Manifest]) -> dict[ObjectId, Refused]:
        """What could not be previewed before its namespace and its account were there. Nothing else is written until all is accepted."""
        if not manifests or not self._planned.options.preflight or self._phases.is_over():
            return {}
        self._progress.phase("preflight", len(manifests))
        answers = await preview(self._cluster, manifests, self._planned.world, self._planned.options)
        refused = {id: answer for id, answer in answers.items() if isinstance(answer, Refused)}
        foreign = {id for id, answer in answers.items() if isinstance(answer, Accepted) and not answer.created}
        if not self._planned.options.adopt:
            refused |= {id: Refused(409, "AlreadyExists", "it exists and is not ours; --adopt takes it over") for id in foreign}
        return {} if self._phases.set_aside(self._planned, refused) else refused

    def _verdict(self) -> Endings:
        outcomes = self._account.outcomes
        if self._account.has_failed():
            return Ending.FAILED, told.failed(outcomes, self._account.rest(self._planned))
        if self._stop.is_set():
            return interrupted(self._stop.reason), told.stopped(self._stop.reason, outcomes)
        if any(is_guarded(step) for step in self._plan.steps):
            return Ending.HELD, told.held(self._plan, self._planned.graph.environment.name)
        return Ending.COMPLETED, told.completed(outcomes)


def _told_revision(planned: Planned) -> str:
    return planned.plan.revision + ("+edited" if planned.plan.dirty else "")
