"""What an operator's runs say of themselves: the states they go through, and one run for what waits, however often it is looked at."""

from __future__ import annotations

import asyncio

from reconciler.adapters.memory import MemoryStore
from reconciler.core.journal import decode, journal_id
from reconciler.core.orders import PAUSED
from reconciler.flow.operator.operator import Operator
from reconciler.model.happenings import RunEnded
from reconciler.model.result import Ending
from reconciler.ports import RunState, StepState
from tests.fleets import lock, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until
from tests.flow.operator.test_approvals import approve, asked, fleet
from tests.flow.operator.test_fallback import A, B, becomes, playing, push, quiet


async def begun(site: Site, operator: Operator) -> None:
    await becomes(site, "a", "s2")
    await quiet(site, operator)


def pause(operator: Operator, *names: str) -> None:
    for name in names:
        operator.ordered(name, {"metadata": {"annotations": {PAUSED: "true"}}})


async def test_a_run_is_planned_then_runs_then_is_completed_and_its_workloads_are_judged_on_the_way() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        await until(lambda: site.ledger.states.get("run0", [None])[-1] is RunState.COMPLETED)
        states = site.ledger.states["run0"]
        assert (states[0], set(states[1:-1]), states[-1]) == (RunState.PLANNED, {RunState.RUNNING}, RunState.COMPLETED)
        of_s0 = [some[str(deployment("s0"))] for some in site.ledger.steps["run0"] if str(deployment("s0")) in some]
        assert of_s0 == [StepState.NEEDS_QA, StepState.COMPLETED]


async def test_a_run_of_which_everything_is_paused_is_paused_once() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        pause(operator, "Service/acme/s0")
        await quiet(site, operator)
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra="  env: {MORE: '1'}\n")))
        for _ in range(3):
            operator.wake("webhook")
            await quiet(site, operator)
        first, paused = site.ears.of(RunEnded)
        assert (first.ending, paused.ending) == (Ending.COMPLETED, Ending.PAUSED)
        assert paused.message == "All that there is to do is paused: 1 step. fleet resume lets it go on."
        assert site.ledger.states[paused.run] == [RunState.PLANNED, RunState.PAUSED]
        operator.ordered("Service/acme/s0", {"metadata": {"annotations": {}}})
        await until(lambda: len(site.ears.of(RunEnded)) == 3)
        assert site.ears.of(RunEnded)[-1].ending is Ending.COMPLETED


async def test_a_run_that_left_out_what_is_paused_says_so_and_is_completed() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        pause(operator, "Service/acme/s0")
        push(site, operator, "b", B, A)
        await becomes(site, "b", "s2")
        for _ in range(2):
            operator.wake("asked")
            await quiet(site, operator)
        _, ended = site.ears.of(RunEnded)
        assert ended.ending is Ending.COMPLETED
        assert "1 step left out." in ended.message
        assert "Service/acme/s0: paused by an order for Service/acme/s0" in ended.message


async def test_a_run_that_waits_for_an_approval_is_blocked_once_and_another_one_goes_on() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        site.shelf.push(site.shelf.head.having("fleet.yaml", fleet(sync="{approval: always}").files["fleet.yaml"]))
        push(site, operator, "b", B, A)
        for _ in range(3):
            operator.wake("asked")
            await quiet(site, operator)
        _, held = site.ears.of(RunEnded)
        assert held.ending is Ending.HELD
        assert "fleet approve " in held.message
        assert site.ledger.states[held.run] == [RunState.PLANNED, RunState.BLOCKED]
        approve(operator, asked(site)[0])
        await becomes(site, "b", "s2")
        await quiet(site, operator)
        assert site.ears.of(RunEnded)[-1].ending is Ending.COMPLETED


async def test_a_guard_that_holds_is_one_run_however_often_it_is_looked_at() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        site.shelf.push(site.shelf.head.without(["specs/services/acme/s0.yaml"]))
        for _ in range(3):
            operator.wake("webhook")
            await quiet(site, operator)
        _, held = site.ears.of(RunEnded)
        assert held.ending is Ending.HELD
        assert deployment("s0") in await site.live()


async def test_the_journal_tells_what_was_put_back_and_what_is_asked() -> None:
    repo = fleet().having("specs/services/acme/s0.yaml", service("s0", extra="  onFailure: hold-previous\n"))
    site = Site(Shelf(repo.having("fleet.lock", lock("a", A))), MemoryStore(playing("b")))
    async with site.running() as operator:
        await begun(site, operator)
        push(site, operator, "b", B, A)
        await becomes(site, "b", "s2")
        await quiet(site, operator)
        assert operator.state.desire is not None
        async with asyncio.timeout(10):
            while not (told := decode(await site.cluster.read(journal_id(operator.state.desire.graph)))).fallen:
                await asyncio.sleep(0.1)
        assert [(one.what, one.message.split(";")[0]) for one in told.fallen] == [("Service/acme/s0", "t-b is given up")]
        assert {one.because for one in told.runs} == {"start", "commit", "fallback"}
