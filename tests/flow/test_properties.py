"""What holds of every walk through the history of a fleet."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.result import Ending
from tests.fleets import TODAY, Repo, service
from tests.flow.conftest import Person

NAMES = ["s0", "s1", "s2", "s3"]
TEXTS = ["", "  env: {A: b}\n", "  replicas: 2\n", '  config: {/etc/app.conf: "x=1"}\n', "  volumes: {data: {path: /data, size: 1Gi}}\n"]
edit = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
    st.tuples(st.just("drop"), st.sampled_from(NAMES), st.just("")),
)


def edited(repo: Repo, what: str, name: str, text: str) -> Repo:
    path = f"specs/services/acme/{name}.yaml"
    return repo.having(path, service(name, extra=text)) if what == "set" else repo.without([path])


def walk(edits: list[tuple[str, str, str]]) -> list[Repo]:
    repos = [Repo.small(services=2)]
    for one in edits:
        repos.append(edited(repos[-1], *one))
    return repos


async def applied(person: Person, repo: Repo) -> None:
    planned = await person.plan(repo)
    result = await person.apply(repo, allow_delete=sum(type(step).__name__ == "Delete" for step in planned.plan.steps))
    assert result.ending is Ending.COMPLETED, result.message


@settings(max_examples=25, deadline=None)
@given(st.lists(edit, max_size=6))
def test_after_each_apply_live_is_desired_and_the_next_plan_is_empty(edits: list[tuple[str, str, str]]) -> None:
    async def through() -> None:
        store = MemoryStore()
        person = Person(store, MemoryCluster(store))
        for repo in walk(edits):
            await applied(person, repo)
            assert set(await person.live()) == {manifest.id for manifest in render(repo.graph(), KINDS)}
            assert (await person.plan(repo)).plan.is_empty

    asyncio.run(through())


@settings(max_examples=15, deadline=None)
@given(st.lists(edit, min_size=1, max_size=5))
def test_going_there_and_back_restores_every_object(edits: list[tuple[str, str, str]]) -> None:
    async def through() -> None:
        store = MemoryStore()
        person = Person(store, MemoryCluster(store))
        repos = walk(edits)
        await applied(person, repos[0])
        before = {id: live.body["metadata"]["labels"] | live.body.get("spec", {}) for id, live in (await person.live()).items()}
        for repo in (*repos[1:], repos[0]):
            await applied(person, repo)
        assert {id: live.body["metadata"]["labels"] | live.body.get("spec", {}) for id, live in (await person.live()).items()} == before

    asyncio.run(through())


def test_the_order_of_documents_changes_nothing() -> None:
    repo = Repo.small(services=6)
    digests = set()
    for seed in range(20):
        paths = list(repo.files)
        random.Random(seed).shuffle(paths)
        shuffled = Repo({path: repo.files[path] for path in paths}, repo.revision)
        digests.add(tuple(manifest.digest for manifest in render(shuffled.graph(), KINDS)))
    assert len(digests) == 1


def test_time_alone_changes_nothing_that_is_desired() -> None:
    held = service("s0", extra="  forceImageTag: {tag: 20261118-4be1d07, reason: slow, until: 2026-12-02, unsafe: true}\n")
    repo = Repo.small().having("specs/services/acme/s0.yaml", held)
    now, later = (render(repo.graph(today=day), KINDS) for day in (TODAY, TODAY + timedelta(days=3650)))
    assert [manifest.digest for manifest in now] == [manifest.digest for manifest in later]
    assert "HLD002" in {finding.code for finding in repo.graph(today=TODAY + timedelta(days=3650)).findings}
