"""What an operator puts back by itself when a new build fails: once, visibly, until git or a person says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.adapters.memory import MemoryStore
from reconciler.adapters.memory.players import ready
from reconciler.core.inventory import INVENTORY_LABEL, decode
from reconciler.core.orders import RELEASE
from reconciler.flow.operator.operator import Operator
from reconciler.model.happenings import BuildPutBack, ConditionChanged, RunEnded
from reconciler.model.manifests import ENVIRONMENT_LABEL, Body
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from reconciler.model.track import Track
from tests.fleets import Repo, digest, lock, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until

S0 = Ref("Service", "s0", "acme")
FALLS = "  onFailure: hold-previous\n"
A, B, C = ("a", "t-a"), ("b", "t-b"), ("c", "t-c")


def playing(*bad: str):
    """A world in which builds with these letters never become healthy: for `b` its deadline passes, for `slow b` nothing is said."""

    def played(body: Body) -> Mapping[str, Any] | None:
        status = ready(body)
        if body["kind"] != "Deployment":
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
        await becomes(site, "b")
        await becomes(site, "a")
        await becomes(site, "b", "s1")
        await quiet(site, operator)
        endings = [one for one in site.ears.of(RunEnded)]
        blocked = next(one for one in endings if one.ending is Ending.BLOCKED)
        assert "acme/s0" in blocked.message
        [told] = site.ears.of(BuildPutBack)
        assert (told.ref, told.failed, told.tag) == (S0, "t-b", "t-a")
        assert told.message == "held at t-a, by the operator: t-b did not become healthy: Deployment s0: its pods crash"
        assert (await track(site)).hold is not None
        assert operator.vitals().holds == 1
