"""The whole fleet under the generated rights: written by the operator and by the account of each tenant, whoever has the operator's token."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.acting import acting, tenant_account
from reconciler.core.home import OPERATOR
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import Manifest, Stage
from reconciler.model.plan import Delete
from reconciler.model.result import Ending, Result
from reconciler.model.rights import ACCOUNT
from tests.engines.binaries import Tier
from tests.engines.client import Api, connect
from tests.engines.cluster import Cluster
from tests.operator.conftest import install
from tests.operator.corner import Writer, access, reference, token
from tests.operator.recorded import Recorder, Sent, recording

PREFIX = f"own{os.getpid():x}"


class Story(NamedTuple):
    """What happened to the whole fleet, act by act, and every request of it."""

    results: dict[str, Result]
    sent: dict[str, list[Sent]]
    manifests: tuple[Manifest, ...]

    @property
    def all(self) -> list[Sent]:
        return [one for act in self.sent.values() for one in act]


@pytest.fixture(scope="module")
def story(cluster: Cluster) -> Story:
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has no RBAC and no admission policies: this needs a kube-apiserver")
    return asyncio.run(told(cluster))


async def told(server: Cluster) -> Story:
    """Applied from nothing; again; edited by hands and mended; pruned to the last object."""
    repo = reference(PREFIX)
    manifests = render(repo.graph(), KINDS)
    async with connect(server.kubeconfig) as api:
        await install(api)
        cluster, recorder = recording(access(server, await token(api, OPERATOR)), acting)
        writer, acts, results = Writer(cluster), Acts(recorder), {}
        try:
            results["first"] = await writer.apply(repo)
            acts.end("first")
            results["again"] = await writer.apply(repo)
            acts.end("again")
            await meddle(api, manifests)
            acts.end("meddling")
            results["mended"] = await writer.apply(repo)
            results["mended after all"] = await writer.apply(repo)
            acts.end("mended")
            gone = repo.without(path for path in repo.files if path.startswith(("specs/services/", "specs/tasks/", "specs/tenants/")))
            planned = await writer.plan(gone)
            number = len(tuple(planned.plan.of(Delete)))
            results["pruned"] = await writer.apply(gone, allow_delete=number)
            acts.end("pruned")
            await emptied(writer)
        finally:
            await cluster.close()
    return Story(results, acts.sent, manifests)


async def emptied(writer: Writer) -> None:
    """Waits until namespaces and claims have ended, which takes a server its time."""
    left: list[str] = []
    try:
        async with asyncio.timeout(30):
            while left := sorted(map(str, await writer.live(PREFIX))):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"still there: {left}")


class Acts:
    """Requests by act."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.sent: dict[str, list[Sent]] = {}

    def end(self, act: str) -> None:
        self.sent[act] = list(self._recorder.sent)
        self._recorder.sent.clear()


async def meddle(api: Api, manifests: tuple[Manifest, ...]) -> None:
    """People edit by `kubectl edit` one object of each kind in each stage, and take the rights of one tenant's account."""
    for one in edited(manifests):
        got = await api.merge(f"{object_path(one.id)}?fieldManager=kubectl-edit", {"metadata": {"labels": {"by-hand": "yes"}}})
        assert got.status == 200, got.body
    access = next(one.id for one in manifests if one.id.kind == "RoleBinding" and one.id[2:] == (f"{PREFIX}-agents", ACCOUNT))
    assert (await api.delete(object_path(access))).status == 200


def edited(manifests: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """One object of each kind in each stage."""
    return tuple({(one.id[:2], one.stage): one for one in reversed(manifests)}.values())


def test_the_whole_fleet_is_applied_mended_and_pruned_with_these_rights(story: Story) -> None:
    assert {act: result.ending for act, result in story.results.items()} == dict.fromkeys(
        ("first", "again", "mended", "mended after all", "pruned"), Ending.COMPLETED
    ), [result.message for result in story.results.values()]
    assert len(story.manifests) > 150
    assert {one.status for one in story.all} <= {200, 201, 202, 404}


def test_a_second_pass_writes_nothing(story: Story) -> None:
    assert [one for one in story.sent["again"] if one.method != "GET"] == []


def test_each_object_is_written_previewed_and_deleted_by_whom_it_belongs_to(story: Story) -> None:
    by_path = {object_path(one.id): one for one in story.manifests}
    seen: dict[str, set[str]] = {}
    for one in story.all:
        path = one.path.partition("?")[0]
        if one.method == "GET" or path not in by_path:
            assert one.user == "", one
            continue
        manifest = by_path[path]
        wanted = tenant_account(manifest.id.namespace) if manifest.stage is Stage.WORKLOADS else ""
        assert one.user == wanted, one
        seen.setdefault(one.method, set()).add(path)
    assert seen["PATCH"] == by_path.keys()
    assert seen["DELETE"] >= {path for path, one in by_path.items() if one.stage is Stage.WORKLOADS}


def test_what_hands_left_is_taken_away_once_the_tenants_account_has_its_rights_back(story: Story) -> None:
    mended = [*story.results["mended"].outcomes, *story.results["mended after all"].outcomes]
    assert {one.id for one in mended if one.action == "update"} == {one.id for one in edited(story.manifests)}
    assert len(mended) == len(edited(story.manifests)) + 1


def writes(story: Story) -> Iterator[Any]:
    return (one for one in story.all if one.writes)


def test_nothing_is_replaced_but_inventories_and_the_lease(story: Story) -> None:
    put = [one for one in writes(story) if one.method == "PUT"]
    assert put
    assert all("/namespaces/fleetwright-system/" in one.path and one.user == "" for one in put)
