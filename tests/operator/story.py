"""What happens to the whole fleet under the generated rights, told once for all tests of it."""

from __future__ import annotations

import asyncio
import os
from typing import NamedTuple

import pytest

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.acting import acting
from reconciler.core.home import OPERATOR
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import Manifest
from reconciler.model.plan import Delete
from reconciler.model.result import Result
from reconciler.model.rights import ACCOUNT
from tests.engines.client import Api, connect
from tests.engines.cluster import Cluster
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


async def told(server: Cluster) -> Story:
    """Applied from nothing; again; edited by hands and mended; pruned to the last object."""
    repo = reference(PREFIX)
    manifests = render(repo.graph(), KINDS)
    async with connect(server.kubeconfig) as api:
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
