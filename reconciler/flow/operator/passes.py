"""A pass: one attempt to make the environment what a commit says, under the Lease. What one owner is refused does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from reconciler.core.approval import Question, approved, held, nothing_goes, questions
from reconciler.core.aside import aside, blocked, left, owner_of_step, without
from reconciler.core.plan import Revision
from reconciler.core.qa import gated, unjudged
from reconciler.core.world import Options
from reconciler.flow import told
from reconciler.flow.account import Account
from reconciler.flow.apply import Settings, carry_out
from reconciler.flow.bookkeeping import is_settled
from reconciler.flow.fan import Stop
from reconciler.flow.operator.builds import BuildsHere
from reconciler.flow.operator.desire import Desire
from reconciler.flow.operator.scribe import Scribe, Steps
from reconciler.flow.operator.state import Outfit, State
from reconciler.flow.operator.stopwatch import Stopwatch
from reconciler.flow.planning import Planned, make_plan
from reconciler.model.canonical import digest
from reconciler.model.happenings import ApprovalNeeded, RunBegan, RunEnded
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Ending, Result, Status
from reconciler.model.value import dataclass
from reconciler.ports import Cluster, Progress, Unreachable


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of a pass."""

    again: frozenset[ObjectId]
    """Objects that have to be looked at again."""
    wrote: frozenset[Ref] = frozenset()
    is_run: bool = False
    """There was something to do."""
    is_half: bool = False
    """Something could not be looked at before this pass gave an account its rights: another one is due."""
    gives_up: bool = False
    """A build has failed, and the next pass puts another in its place."""


class Passes:
    """Passes over one environment, one after the other."""

    def __init__(self, outfit: Outfit, state: State, cluster: Cluster, scribe: Scribe) -> None:
        self._outfit, self._state, self._cluster, self._scribe = outfit, state, cluster, scribe
        self._builds = BuildsHere(outfit, state)

    async def attempt(self, desire: Desire, because: str, stop: Stop) -> Attempted:
        """Makes the environment what `desire` says. Raises Unreachable and EnvironmentMoved."""
        outfit, state = self._outfit, self._state
        run, watch = outfit.new_id(), Stopwatch()
        options = Options(prune=desire.graph.environment.sync.prune)
        with watch.measured("plan"):
            planned = await make_plan(
                self._cluster,
                desire.graph,
                outfit.kinds,
                Revision(desire.revision),
                options,
                state.equality,
                rendered=desire.manifests,
                judge=self._builds.judged,
            )
        self._builds.tell(planned)
        doing, refused = self._allowed(planned, desire.asked, run)
        state.keeper.begin(planned, doing.plan)
        account = Account()
        waiting = unjudged(planned.desired, planned.world.inventory) if doing.question else frozenset[ObjectId]()
        if nothing_goes(doing.plan) and is_settled(planned, waiting):
            return self._nothing_done(run, planned, doing, refused, because)
        outfit.listener.hear(RunBegan(run, desire.revision, because))
        self._scribe.begin(run, planned, outfit.clock.now())
        try:
            with watch.measured("apply"):
                result = await self._carried_out(doing, stop, account, Steps(self._scribe, run, outfit.progress))
        except asyncio.CancelledError:
            self._cut_short(run, planned, account, watch)
            raise
        if account.question is not None:  # what is behind that wave was left out, as it will be until somebody has answered
            self._ask(run, (*state.asked, account.question))
            doing = replace(doing, plan=without(doing.plan, (one.id for one in result.outcomes if one.status is Status.SKIPPED)))
        result = self._told_left(planned, doing, refused, result, is_wave=account.question is not None)
        again = self._ended(planned, refused, result, account)
        self._scribe.finish(run, result, outfit.clock.now())
        outfit.listener.hear(_told(run, desire.revision, result, watch.seconds))
        gives_up = self._builds.gives_up(planned, account)
        return Attempted(again, _written(planned, account), is_run=True, is_half=bool(planned.unseen), gives_up=gives_up)

    def _nothing_done(self, run: str, planned: Planned, doing: Planned, refused: Mapping[str, str], because: str) -> Attempted:
        """Nothing was to be done, or nothing may be done of it: that is a run once, and none when it is looked at again."""
        outfit, state = self._outfit, self._state
        nothing = Result(planned.plan.hash, (), Ending.COMPLETED, told.nothing())
        before, result = state.left, self._told_left(planned, doing, refused, nothing)
        again = self._ended(planned, refused, result, Account())
        if not state.left or state.left == before:
            return Attempted(again)
        outfit.listener.hear(RunBegan(run, planned.plan.revision, because))
        self._scribe.begin(run, planned, outfit.clock.now())
        self._scribe.finish(run, result, outfit.clock.now())
        outfit.listener.hear(_told(run, planned.plan.revision, result, {}))
        return Attempted(again, is_run=True)

    def _told_left(self, planned: Planned, doing: Planned, refused: Mapping[str, str], result: Result, *, is_wave: bool = False) -> Result:
        """The result with what was left out, and the ending that this makes of one that did all else."""
        state = self._state
        asked = {owner: one.text for one in state.asked for owner in one.owners}
        paused = state.paused(self._outfit.clock.now(), map(owner_of_step, planned.plan.steps))
        alone = state.left_alone(planned, self._outfit.clock.now())
        outcomes = left(without(planned.plan, alone), doing.plan, {**asked, **paused, **refused})
        wanted = {manifest.id: manifest.digest for manifest in planned.desired}
        state.left = frozenset((outcome.id, wanted.get(outcome.id, ""), outcome.owner in paused) for outcome in outcomes)
        done = {outcome.id for outcome in outcomes}
        result = replace(result, outcomes=(*(one for one in result.outcomes if one.id not in done), *outcomes))
        if result.ending is Ending.HELD and not is_wave:
            result = replace(result, ending=Ending.COMPLETED, message="Everything else is applied.")
        if result.ending is not Ending.COMPLETED or not outcomes:
            return result
        if all(outcome.owner in paused for outcome in outcomes):
            if len(outcomes) < len(result.outcomes):
                return replace(result, message=f"{result.message} {told.left_out(outcomes, ())}")
            return replace(result, ending=Ending.PAUSED, message=told.paused(len(outcomes)))
        ending = Ending.BLOCKED if any(outcome.owner in refused for outcome in outcomes) else Ending.HELD
        begun = f"{result.message} " if len(outcomes) < len(result.outcomes) else ""
        return replace(result, ending=ending, message=begun + told.left_out(outcomes, (one.text for one in state.asked)))

    def _allowed(self, planned: Planned, blocked_by_policy: tuple[Question, ...], run: str) -> tuple[Planned, dict[str, str]]:
        """The plan as it may be carried out now, and whom it leaves out because they were refused."""
        state, now, graph = self._state, self._outfit.clock.now(), planned.graph
        mode = graph.environment.sync.approval
        plan = approved(planned.plan, graph, state.approved, mode)
        state.held_guards = held(plan)
        plan, wave = gated(plan, graph, planned.desired, planned.world.inventory, state.approved)
        asked = (*blocked_by_policy, *questions(planned.plan, graph, state.approved, mode), *([wave] if wave is not None else []))
        self._ask(run, asked)
        refused = {**state.waiting(now, _digests(planned, state.troubles)), **blocked(plan)}
        out = {**refused, **state.paused(now, map(owner_of_step, plan.steps))}
        return replace(planned, plan=aside(plan, out, state.left_alone(planned, now)), question=wave), refused

    def _ask(self, run: str, asked: tuple[Question, ...]) -> None:
        """Tells of what waits for a person, each once."""
        known = {one.hash for one in self._state.asked}
        for one in asked:
            if one.hash not in known:
                self._outfit.listener.hear(ApprovalNeeded(run, one.hash, one.text))
        self._state.asked = asked

    async def _carried_out(self, planned: Planned, stop: Stop, account: Account, progress: Progress) -> Result:
        outfit, environment = self._outfit, planned.graph.environment
        patience = environment.sync.deadline / 1000
        settings = Settings(
            outfit.holder,
            planned.plan.revision,
            wait=patience > 0,
            wave_seconds=patience,
            isolate=True,
            approved=self._state.approved,
        )
        try:
            return await carry_out(planned, self._cluster, outfit.clock, progress, stop, settings, self._state.fence, account)
        except Unreachable as lost:
            message = told.lost(str(lost), lost.fix, account.outcomes, len(planned.plan.steps))
            return account.result(planned, Ending.FAILED, message)

    def _cut_short(self, run: str, planned: Planned, account: Account, watch: Stopwatch) -> None:
        """The Lease was lost, or the process is to end at once: what was under way may or may not have been done."""
        result = account.result(planned, Ending.CANCELLED, told.stopped("the Lease was lost", account.outcomes))
        self._state.keeper.end(planned, {}, {})
        self._scribe.finish(run, result, self._outfit.clock.now())
        self._outfit.listener.hear(_told(run, planned.plan.revision, result, watch.seconds))

    def _ended(self, planned: Planned, refused: Mapping[str, str], result: Result, account: Account) -> frozenset[ObjectId]:
        state, now = self._state, self._outfit.clock.now()
        outcomes = {outcome.id: outcome.status for outcome in result.outcomes}
        failed = {outcome.owner: f"{outcome.id}: {outcome.reason}" for outcome in result.outcomes if outcome.status is Status.FAILED}
        again = state.keeper.end(planned, outcomes, account.uids)
        state.keeper.health.update(account.health)
        reasons = {**refused, **failed}
        state.refused(reasons, now, _digests(planned, reasons.keys() | state.troubles.keys()))
        state.result = result
        if result.ending not in (Ending.CANCELLED, Ending.LOCKED):
            state.applied = planned.plan.revision
            if state.desire is not None and state.desire.revision == planned.plan.revision:
                state.lasting = state.desire.lasting
            self._trust(planned)
        if result.ending in (Ending.COMPLETED, Ending.PAUSED) and not refused and not failed:
            state.succeeded = now
        return again

    def _trust(self, planned: Planned) -> None:
        """What is applied says who may sign what comes next."""
        spec = planned.graph.fleet.spec
        self._outfit.upstream.trust(spec.source.verify if spec else None)


def _written(planned: Planned, account: Account) -> frozenset[Ref]:
    return frozenset(manifest.owner for manifest in planned.desired if manifest.id in account.uids)


def _digests(planned: Planned, owners: Collection[str]) -> dict[str, str]:
    """What is desired of each of these owners, as one digest."""
    found: dict[str, list[str]] = {}
    for manifest in planned.desired if owners else ():
        if (owner := str(manifest.owner)) in owners:
            found.setdefault(owner, []).append(manifest.digest)
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
