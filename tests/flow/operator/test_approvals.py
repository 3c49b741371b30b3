"""What waits for a person: unsafe holds of one service while the others go on, and waves where the environment asks for a word on each."""

from __future__ import annotations

import asyncio

from reconciler.core.approval import brief
from reconciler.core.orders import APPROVED
from reconciler.flow.operator.operator import Operator
from reconciler.model.happenings import ApprovalNeeded, RunEnded
from reconciler.model.result import Ending
from tests.fleets import Repo, lock, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until
from tests.flow.operator.test_fallback import A, B, becomes, image, quiet

UNSAFE = "  forceImageTag: {tag: by-hand, reason: a try, by: ana, unsafe: true}\n"


def fleet(services: int = 3, sync: str = "{}") -> Repo:
    """A service in each wave."""
    repo = Repo.small(services)
    text = repo.files["fleet.yaml"].replace("unlocked: tag", f"unlocked: tag\n      sync: {sync}")
    repo = repo.having("fleet.yaml", text).having("fleet.lock", lock("a", B, A))
    for number in range(services):
        repo = repo.having(f"specs/services/acme/s{number}.yaml", service(f"s{number}", 10 * number))
    return repo


def approve(operator: Operator, hash: str) -> None:
    operator.ordered("all", {"metadata": {"annotations": {APPROVED: hash}}})


def asked(site: Site) -> list[str]:
    return [one.hash for one in site.ears.of(ApprovalNeeded)]


async def running(site: Site, operator: Operator) -> set[str]:
    """What is there of the services."""
    await quiet(site, operator)
    return {id.name for id in await site.live() if id.kind == "Deployment"}


async def test_an_unsafe_hold_waits_for_a_person_and_everything_else_goes_on() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await becomes(site, "a", "s2")
        await quiet(site, operator)
        repo = site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra=UNSAFE))
        site.shelf.push(repo.having("fleet.lock", lock("b", B, A)))
        operator.wake("webhook")
        await becomes(site, "b", "s2")
        await quiet(site, operator)
        assert await image(site) == "a"
        [question] = operator.state.asked
        assert question.text == (
            f"a hold on by-hand that never passed the gate would come into force on Service/acme/s0: fleet approve {brief(question.hash)}"
        )
        assert question.owners == {"Service/acme/s0"}
        assert asked(site) == [question.hash]
        approve(operator, brief(question.hash))
        await becomes(site, "d")  # of `by-hand`
        assert await running(site, operator) == {"s0", "s1", "s2"}
        assert operator.state.asked == ()
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra=UNSAFE + "  env: {MORE: '1'}\n")))
        operator.wake("webhook")
        await quiet(site, operator)
        assert operator.state.asked == (), "it is in force already"
        assert asked(site) == [question.hash]


async def test_with_approval_none_an_unsafe_hold_asks_nobody() -> None:
    site = Site(Shelf(fleet(sync="{approval: none}")))
    async with site.running() as operator:
        await becomes(site, "a", "s2")
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra=UNSAFE)))
        operator.wake("webhook")
        await becomes(site, "d")
        assert asked(site) == []


async def test_each_wave_waits_for_a_word_on_the_one_before_it() -> None:
    site = Site(Shelf(fleet(sync="{qa: approval}")))
    async with site.running() as operator:
        await until(lambda: len(asked(site)) == 1)
        assert await running(site, operator) == {"s0"}
        [first] = operator.state.asked
        assert first.text.startswith("wave 0 (first) is healthy, and waits for a word before the next one: fleet approve ")
        assert first.owners == {"Service/acme/s1", "Service/acme/s2"}
        ended = site.ears.of(RunEnded)
        assert [one.ending for one in ended] == [Ending.HELD]
        assert brief(first.hash) in ended[0].message
        versions = await site.versions()
        operator.wake("asked")
        await quiet(site, operator)
        assert await site.versions() == versions
        assert len(site.ears.of(RunEnded)) == 1, "waiting is no run"
        approve(operator, first.hash)
        await until(lambda: len(asked(site)) == 2)
        assert await running(site, operator) == {"s0", "s1"}
        approve(operator, "0" * 64)
        assert await running(site, operator) == {"s0", "s1"}
        approve(operator, asked(site)[1])
        async with asyncio.timeout(10):
            while deployment("s2") not in await site.live():
                await asyncio.sleep(0.02)
        await quiet(site, operator)
        assert operator.state.asked == ()
        assert site.ears.of(RunEnded)[-1].ending is Ending.COMPLETED
        count = len(site.ears.of(RunEnded))
        operator.wake("asked")
        await quiet(site, operator)
        assert len(site.ears.of(RunEnded)) == count


async def test_a_wave_waits_for_its_word_through_a_restart_and_a_word_on_it_counts_for_nothing_else() -> None:
    site = Site(Shelf(fleet(sync="{qa: approval}")))
    async with site.running() as operator:
        await until(lambda: len(asked(site)) == 1)
        await quiet(site, operator)
    async with site.running(holder="operator two") as operator:
        await until(lambda: bool(operator.state.asked))
        assert await running(site, operator) == {"s0"}
        assert asked(site)[0] == asked(site)[1] == operator.state.asked[0].hash
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra="  env: {MORE: '1'}\n")))
        operator.wake("webhook")
        await until(lambda: len(asked(site)) == 3)
        assert asked(site)[2] != asked(site)[1]
        approve(operator, asked(site)[1])
        assert await running(site, operator) == {"s0"}
        approve(operator, asked(site)[2])
        await until(lambda: len(asked(site)) == 4)
        assert await running(site, operator) == {"s0", "s1"}


async def test_a_hold_does_not_wait_for_a_word_on_a_wave() -> None:
    site = Site(Shelf(fleet(sync="{qa: approval}")))
    async with site.running() as operator:
        await until(lambda: len(asked(site)) == 1)
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra="  forceImageTag: t-b\n")))
        operator.wake("webhook")
        await becomes(site, "b")
        assert await running(site, operator) == {"s0"}
        assert len(operator.state.asked) == 1
