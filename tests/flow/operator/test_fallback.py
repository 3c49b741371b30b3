"""What an operator puts back by itself when a new build fails: once, visibly, until git or a person says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from reconciler.adapters.memory import MemoryOutbox, MemoryStore
from reconciler.adapters.memory.players import ready
from reconciler.core.inventory import INVENTORY_LABEL, decode
from reconciler.core.orders import RELEASE
from reconciler.core.propose import proposal, proposed
from reconciler.flow.herald import Herald
from reconciler.flow.operator.operator import Operator
from reconciler.model.fleet import Notification
from reconciler.model.happenings import BuildPutBack, Happening, RunEnded
from reconciler.model.manifests import ENVIRONMENT_LABEL, Body
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from reconciler.model.track import Track
from reconciler.ports import Letter, Posted
from tests.fleets import Repo, digest, lock, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Ears, Shelf, Site, Wall, until

S0 = Ref("Service", "s0", "acme")
FALLS = "  onFailure: hold-previous\n"
A, B, C = ("a", "t-a"), ("b", "t-b"), ("c", "t-c")


def playing(*bad: str):
    """A world in which `s0` never becomes healthy with builds of these letters: for `b` its deadline passes, for `slow b` nothing is said."""

    def played(body: Body) -> Mapping[str, Any] | None:
        status = ready(body)
        if body["kind"] != "Deployment" or body["metadata"]["name"] != "s0":
            return status
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        said = next((one for one in bad if image.endswith("@" + digest(one[-1]))), None)
        if said is None:
            return status
        reason = "NewReplicaSetCreated" if said.startswith("slow") else "ProgressDeadlineExceeded"
        conditions = [{"type": "Progressing", "status": str(said.startswith("slow")), "reason": reason, "message": "its pods crash"}]
        return {"observedGeneration": body["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1, "conditions": conditions}

    return played


def fleet(current: str, *builds: tuple[str, str], services: int = 2, deadline: str = "10m") -> Repo:
    """`s0` falls back, the others do not; each is in a wave of its own."""
    repo = Repo.small(services)
    text = repo.files["fleet.yaml"].replace("unlocked: tag", f"unlocked: tag\n      sync: {{deadline: {deadline}}}")
    repo = repo.having("fleet.yaml", text).having("fleet.lock", lock(current, *builds))
    for number in range(services):
        repo = repo.having(f"specs/services/acme/s{number}.yaml", service(f"s{number}", 10 * number, FALLS if number == 0 else ""))
    return repo


def site_of(repo: Repo, *bad: str) -> Site:
    return Site(Shelf(repo), MemoryStore(playing(*bad)))


def push(site: Site, operator: Operator, current: str, *builds: tuple[str, str]) -> str:
    revision = site.shelf.push(site.shelf.head.having("fleet.lock", lock(current, *builds)))
    operator.wake("webhook")
    return revision


async def image(site: Site, name: str = "s0") -> str:
    """The letter of the build that runs."""
    return (await site.live())[deployment(name)].body["spec"]["template"]["spec"]["containers"][0]["image"][-1]


async def becomes(site: Site, letter: str, name: str = "s0") -> None:
    async with asyncio.timeout(10):
        while deployment(name) not in await site.live() or await image(site, name) != letter:
            await asyncio.sleep(0.02)


async def quiet(site: Site, operator: Operator) -> None:
    """Until nothing is left to do, and half a second more."""
    async with asyncio.timeout(15):
        while True:
            before = await site.versions()
            await asyncio.sleep(0.6)
            if operator.vitals().queue == 0 and before == await site.versions():
                return


async def track(site: Site) -> Track:
    found = await site.cluster.list({ENVIRONMENT_LABEL: "test-test", INVENTORY_LABEL: "true"}, [("", "ConfigMap")])
    return decode(found).tracks.get(S0, Track())


async def test_a_build_that_fails_is_put_back_once_and_the_next_waves_go_on() -> None:
    site = site_of(fleet("a", A), "b")
    async with site.running() as operator:
        await becomes(site, "a", "s1")
        await quiet(site, operator)
        assert (await track(site)).healthy == digest("a")
        push(site, operator, "b", B, A)
        await until(lambda: bool(site.ears.of(BuildPutBack)))
        await becomes(site, "a")
        await becomes(site, "b", "s1")
        await quiet(site, operator)
        blocked = next(one for one in site.ears.of(RunEnded) if one.ending is Ending.BLOCKED)
        assert "acme/s0" in blocked.message
        [told] = site.ears.of(BuildPutBack)
        assert (told.ref, told.failed, told.tag) == (S0, "t-b", "t-a")
        assert told.message == "held at t-a, by the operator: t-b did not become healthy: Deployment s0: its pods crash"
        assert (await track(site)).hold is not None
        assert operator.vitals().holds == 1


async def held(site: Site, operator: Operator) -> None:
    """`s0` is held at `a`, since `b` failed."""
    await becomes(site, "a", "s1")
    await quiet(site, operator)
    push(site, operator, "b", B, A)
    await until(lambda: bool(site.ears.of(BuildPutBack)))
    await becomes(site, "a")
    await quiet(site, operator)


async def test_nothing_is_written_while_a_build_stays_put_back_however_often_it_is_looked_at() -> None:
    site = site_of(fleet("a", A), "b")
    async with site.running() as operator:
        await held(site, operator)
        versions, runs = await site.versions(), len(site.ears.of(RunEnded))
        for _ in range(4):
            fetches = site.shelf.fetches
            operator.wake("asked")
            await until(lambda: site.shelf.fetches > fetches)  # noqa: B023
            await quiet(site, operator)
        assert await site.versions() == versions
        assert len(site.ears.of(RunEnded)) == runs
        assert len(site.ears.of(BuildPutBack)) == 1


async def test_a_hold_of_the_operator_outlives_it_and_is_told_once() -> None:
    site = site_of(fleet("a", A), "b")
    async with site.running() as operator:
        await held(site, operator)
    versions = await site.versions()
    async with site.running(holder="operator two") as operator:
        await until(lambda: operator.state.result is not None)
        await quiet(site, operator)
        assert operator.vitals().holds == 1
    assert await site.versions() == versions
    assert len(site.ears.of(BuildPutBack)) == 1


async def test_a_commit_that_names_another_build_lifts_it_and_the_failed_one_gets_no_second_turn() -> None:
    site = site_of(fleet("a", A), "b")
    async with site.running() as operator:
        await held(site, operator)
        push(site, operator, "c", C, B, A)
        await becomes(site, "c")
        await quiet(site, operator)
        assert await track(site) == Track(healthy=digest("c"), spent=(digest("b"),))
        assert operator.vitals().holds == 0
        push(site, operator, "b", C, B, A)
        await becomes(site, "b")
        await quiet(site, operator)
        assert await image(site) == "b"
        assert len(site.ears.of(BuildPutBack)) == 1
        assert site.ears.of(RunEnded)[-1].ending is Ending.BLOCKED


async def test_a_release_tries_the_build_again_and_does_not_put_it_back_a_second_time() -> None:
    site = site_of(fleet("a", A), "b")
    async with site.running() as operator:
        await held(site, operator)
        operator.ordered(str(S0), {"metadata": {"annotations": {RELEASE: "t-other"}}})
        await quiet(site, operator)
        assert await image(site) == "a", "that is none of its builds"
        operator.ordered(str(S0), {"metadata": {"annotations": {RELEASE: "t-b"}}})
        await becomes(site, "b")
        await quiet(site, operator)
        assert await image(site) == "b"
        assert len(site.ears.of(BuildPutBack)) == 1
    async with site.running(holder="operator two") as operator:  # which has not seen the order
        await until(lambda: operator.state.result is not None)
        await quiet(site, operator)
        assert await image(site) == "b"


async def test_a_build_that_only_takes_too_long_is_put_back_after_the_deadline() -> None:
    site = site_of(fleet("a", A, deadline="1s"), "slow b")
    async with site.running() as operator:
        await held(site, operator)
        assert Ending.EXPIRED in [one.ending for one in site.ears.of(RunEnded)]
        [told] = site.ears.of(BuildPutBack)
        assert told.message.endswith("Deployment s0: 0 of 1 replicas ready after 1 s")


async def test_without_on_failure_nothing_is_put_back() -> None:
    repo = fleet("a", A).having("specs/services/acme/s0.yaml", service("s0"))
    site = site_of(repo, "b")
    async with site.running() as operator:
        await becomes(site, "a", "s1")
        push(site, operator, "b", B, A)
        await becomes(site, "b")
        await quiet(site, operator)
        assert (await image(site), await image(site, "s1")) == ("b", "a")
        assert await track(site) == Track()


async def test_a_first_build_that_fails_has_nothing_to_go_back_to_and_is_left_alone() -> None:
    site = site_of(fleet("b", B, A), "b")
    async with site.running() as operator:
        await becomes(site, "b")
        await quiet(site, operator)
        assert await image(site) == "b"
        assert not site.ears.of(BuildPutBack)


async def test_a_paused_service_is_left_as_it_is_and_put_back_when_the_pause_ends() -> None:
    site = site_of(fleet("a", A, services=1, deadline="1s"), "slow b")
    async with site.running() as operator:
        await becomes(site, "a")
        await quiet(site, operator)
        push(site, operator, "b", B, A)
        await becomes(site, "b")
        operator.ordered(str(S0), {"metadata": {"annotations": {"fleetwright.dev/paused": "true"}}})
        await asyncio.sleep(2)
        await quiet(site, operator)
        assert await image(site) == "b"
        operator.ordered(str(S0), {"metadata": {"annotations": {}}})
        await becomes(site, "a")


async def test_where_the_build_that_was_put_back_fails_too_the_operator_stops_there() -> None:
    site = site_of(fleet("a", A))
    async with site.running() as operator:
        await becomes(site, "a", "s1")
        await quiet(site, operator)
        site.store.player = playing("a", "b")
        push(site, operator, "b", B, A)
        await until(lambda: bool(site.ears.of(BuildPutBack)))
        await becomes(site, "a")
        await quiet(site, operator)
        versions = await site.versions()
        operator.wake("asked")
        await quiet(site, operator)
        assert await site.versions() == versions
        assert await image(site) == "a"
        assert len(site.ears.of(BuildPutBack)) == 1


class Postbox:
    """Takes every letter."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, target: Notification, letter: Letter) -> Posted:
        self.letters.append(letter)
        return Posted(taken=True)

    async def close(self) -> None:
        pass


class Ringing(Ears):
    """Hears, and has a herald hear as well."""

    def __init__(self, herald: Herald) -> None:
        super().__init__()
        self._herald = herald

    def hear(self, happening: Happening) -> None:
        super().hear(happening)
        self._herald.hear(happening)


async def test_a_build_that_is_put_back_asks_for_one_pull_request_whose_hold_git_then_keeps() -> None:
    site, box = site_of(fleet("a", A), "b"), Postbox()
    for holder in ("operator one", "operator two"):  # each process has its own herald
        herald = Herald("acme", "test", MemoryOutbox(), box, Wall(), site.ears.said.append)
        herald.aim({"git": Notification(type="pull-request", secret="token", repository="acme/fleet")})
        site.ears = Ringing(herald)
        async with site.running(holder=holder) as operator:
            if holder == "operator one":
                await held(site, operator)
            else:
                await until(lambda: operator.state.result is not None)
                await quiet(site, operator)
            await herald.turn()
            await herald.settle()
    [letter] = box.letters
    wanted = proposal(orjson.loads(letter.body))
    assert (wanted.ref, wanted.failed, wanted.hold.tag) == (S0, "t-b", "t-a")
    assert wanted.hold.reason == "t-b did not become healthy: Deployment s0: its pods crash"
    merged = proposed(wanted, site.shelf.head.files[wanted.path].encode())
    assert merged is not None
    async with site.running() as operator:
        versions = await site.versions()
        site.shelf.push(site.shelf.head.having(wanted.path, merged.decode()))
        operator.wake("webhook")
        await until(lambda: operator.vitals().revision == site.shelf.head.revision)
        await quiet(site, operator)
        assert (await image(site), await track(site)) == ("a", Track(healthy=digest("a"), spent=(digest("b"),)))
        assert (await site.versions())[deployment("s0")] == versions[deployment("s0")]
        assert operator.vitals().holds == 1
