"""A pass: one attempt to make the environment what a commit says, under the Lease. What one owner is refused does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.core.approval import approved, asks, guarded_owners, held
from reconciler.core.aside import aside, blocked
from reconciler.core.plan import Revision
from reconciler.core.world import Options
from reconciler.flow import told
from reconciler.flow.account import Account
from reconciler.flow.apply import Settings, carry_out
from reconciler.flow.bookkeeping import is_settled
from reconciler.flow.fan import Stop
from reconciler.flow.operator.desire import Desire
from reconciler.flow.operator.scribe import Scribe
from reconciler.flow.operator.state import Outfit, State
from reconciler.flow.operator.stopwatch import Stopwatch
from reconciler.flow.planning import Planned, make_plan
from reconciler.model.canonical import digest
from reconciler.model.happenings import ApprovalNeeded, RunBegan, RunEnded
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Ending, Result, Status
from reconciler.ports import Cluster, Unreachable


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of a pass."""

    again: frozenset[ObjectId]
    """Objects that have to be looked at again."""
    wrote: frozenset[Ref] = frozenset()
    is_run: bool = False
    """There was something to do."""


class Passes:
    """Passes over one environment, one after the other."""

    def __init__(self, outfit: Outfit, state: State, cluster: Cluster, scribe: Scribe) -> None:
        self._outfit, self._state, self._cluster, self._scribe = outfit, state, cluster, scribe

    async def attempt(self, desire: Desire, because: str, stop: Stop) -> Attempted:
        """Makes the environment what `desire` says. Raises Unreachable and EnvironmentMoved."""
        outfit, state = self._outfit, self._state
        run, watch = outfit.new_id(), Stopwatch()
        options = Options(prune=desire.graph.environment.sync.prune)
        with watch.measured("plan"):
            planned = await make_plan(
                self._cluster, desire.graph, outfit.kinds, Revision(desire.revision), options, state.equality, rendered=desire.manifests
            )
        doing, refused = self._allowed(planned, run)
        state.keeper.begin(planned, doing.plan)
        account = Account()
        if doing.plan.is_empty and is_settled(planned):
            return Attempted(self._ended(planned, refused, account.result(doing, Ending.COMPLETED, told.nothing()), account))
        outfit.listener.hear(RunBegan(run, desire.revision, because))
        self._scribe.begin(run, doing, outfit.clock.now())
        with watch.measured("apply"):
            result = await self._carried_out(doing, stop, account)
        again = self._ended(planned, refused, result, account)
        self._scribe.finish(run, result, outfit.clock.now())
        outfit.listener.hear(_told(run, desire.revision, result, watch.seconds))
        return Attempted(again, _written(planned, account), is_run=True)

    def _allowed(self, planned: Planned, run: str) -> tuple[Planned, dict[str, str]]:
        """The plan as it may be carried out now, and whom it leaves out because they were refused."""
        state, now = self._state, self._outfit.clock.now()
        sync = planned.graph.environment.sync
        question = asks(planned.plan, state.approved, sync.approval)
        if question and planned.plan.hash != state.asked:
            self._outfit.listener.hear(ApprovalNeeded(run, planned.plan.hash, question))
        state.asked, state.question = (planned.plan.hash, question) if question else ("", "")
        plan = approved(planned.plan, state.approved, sync.approval)
        state.held_guards, state.guarded = held(plan), guarded_owners(plan)
        refused = {**state.waiting(now, _digests(planned)), **blocked(plan)}
        return replace(planned, plan=aside(plan, {**refused, **state.paused(now)})), refused

    async def _carried_out(self, planned: Planned, stop: Stop, account: Account) -> Result:
        outfit, environment = self._outfit, planned.graph.environment
        patience = environment.sync.deadline / 1000
        settings = Settings(outfit.holder, planned.plan.revision, wait=patience > 0, wave_seconds=patience, isolate=True)
        try:
            return await carry_out(planned, self._cluster, outfit.clock, outfit.progress, stop, settings, self._state.fence, account)
        except Unreachable as lost:
            message = told.lost(str(lost), lost.fix, account.outcomes, len(planned.plan.steps))
            return account.result(planned, Ending.FAILED, message)
        except asyncio.CancelledError:
            self._state.keeper.end(planned, {}, {})
            raise

    def _ended(self, planned: Planned, refused: Mapping[str, str], result: Result, account: Account) -> frozenset[ObjectId]:
        state, now = self._state, self._outfit.clock.now()
        outcomes = {outcome.id: outcome.status for outcome in result.outcomes}
        failed = {outcome.owner: f"{outcome.id}: {outcome.reason}" for outcome in result.outcomes if outcome.status is Status.FAILED}
        again = state.keeper.end(planned, outcomes, account.uids)
        state.keeper.health.update(account.health)
        state.refused({**refused, **failed}, now, _digests(planned))
        state.result = result
        if result.ending not in (Ending.CANCELLED, Ending.LOCKED):
            state.applied = planned.plan.revision
            self._trust(planned)
        if result.ending is Ending.COMPLETED and not refused and not failed:
            state.succeeded = now
        return again

    def _trust(self, planned: Planned) -> None:
        """What is applied says who may sign what comes next."""
        spec = planned.graph.fleet.spec
        self._outfit.upstream.trust(spec.source.verify if spec else None)


def _written(planned: Planned, account: Account) -> frozenset[Ref]:
    return frozenset(manifest.owner for manifest in planned.desired if manifest.id in account.uids)


def _digests(planned: Planned) -> dict[str, str]:
    """What is desired of each owner, as one digest."""
    found: dict[str, list[str]] = {}
    for manifest in planned.desired:
        found.setdefault(str(manifest.owner), []).append(manifest.digest)
    return {owner: digest(digests) for owner, digests in found.items()}


def _told(run: str, revision: str, result: Result, seconds: Mapping[str, float]) -> RunEnded:
    done = [outcome.action for outcome in result.outcomes if outcome.status is Status.DONE]
    return RunEnded(
        run,
        revision,
        result.ending,
        result.message,
        seconds,
        created=done.count("create"),
        updated=done.count("update"),
        deleted=done.count("delete"),
        failed=result.count(Status.FAILED),
    )
