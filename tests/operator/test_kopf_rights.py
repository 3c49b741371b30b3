"""What Kopf asks of a server when it watches our kinds as the operator does: no more than the operator may."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import kopf
import pytest

from reconciler.core.home import OPERATOR
from reconciler.core.rbac import operator_rights
from reconciler.kinds import KINDS
from reconciler.model.rights import rules
from reconciler.model.spec import GROUP
from tests.adapters.faults import FaultProxy, fault_proxy
from tests.engines.client import Api
from tests.engines.cluster import Cluster
from tests.operator.corner import token
from tests.operator.recorded import Asked, Sent, asked, granted, uses
from tests.operator.resources import TABLE, body, path
from tests.operator.test_definitions import BAD

DISCOVERY = re.compile(r"^/(api|apis|api/v1|apis/[^/]+/v[^/]+)$")
"""What everybody who is authenticated may read (the server's own role `system:discovery`)."""


@pytest.fixture
async def proxy(cluster: Cluster, installed: Api) -> AsyncIterator[FaultProxy]:
    """The way to the server, as the operator's account."""
    async with fault_proxy(cluster.url, cluster.authority, await token(installed, OPERATOR)) as proxy:
        yield proxy


class Watching:
    """Kopf in this loop, with a handler of events for each of our kinds that answers with an event."""

    def __init__(self, server: str) -> None:
        self.seen: set[str] = set()
        self.registry = kopf.OperatorRegistry()
        self.settings = kopf.OperatorSettings()
        self.settings.posting.loggers = False
        self.stop = asyncio.Event()
        kopf.on.login(registry=self.registry)(lambda **_: kopf.ConnectionInfo(server=server, insecure=True))
        for kind in KINDS:
            kopf.on.event(GROUP, kind.plural, registry=self.registry)(self.hear)

    async def hear(self, body: kopf.Body, type: str | None, **_: object) -> None:
        if type == "ADDED":
            kopf.event(body, type="Normal", reason="Seen", message="It is there.")
        self.seen.add(body["kind"])

    async def run(self) -> None:
        await kopf.operator(
            registry=self.registry, settings=self.settings, clusterwide=True, standalone=True, stop_flag=self.stop, priority=0
        )


def requests(proxy: FaultProxy) -> set[Asked]:
    """What was asked for, discovery aside."""
    found = set()
    for line in proxy.seen:
        method, _, address = line.partition(" ")
        if not DISCOVERY.match(address.partition("?")[0]):
            found |= {one._replace(namespace="", name="") for one in asked(Sent(method.replace("WATCH", "GET"), address, "", 201))}
    return found


async def test_kopf_asks_for_what_the_operator_may_and_for_nothing_else(proxy: FaultProxy, installed: Api, namespace: str):
    watching = Watching(proxy.url)
    running = asyncio.create_task(watching.run())
    wanted = {Asked(verb, GROUP, kind.plural) for kind in KINDS for verb in ("list", "watch")}
    wanted |= {Asked(verb, "apiextensions.k8s.io", "customresourcedefinitions") for verb in ("list", "watch")}
    try:
        async with asyncio.timeout(30):
            while not wanted <= requests(proxy):
                await asyncio.sleep(0.05)
            where = path(TABLE["Service"], namespace, "web")
            assert (await installed.apply(where, body(TABLE["Service"], "web", BAD["Service"]["base"]))).status == 201
            events = f"/api/v1/namespaces/{namespace}/events"
            while not [one for one in (await installed.get(events)).body["items"] if one["reason"] == "Seen"]:
                assert not running.done(), running
                await asyncio.sleep(0.05)
    finally:
        watching.stop.set()
        await running
    assert requests(proxy) == wanted | {Asked("create", "", "events")}
    rights = set(granted(rules(operator_rights(KINDS))))
    for one in requests(proxy):
        assert any(uses(one, right) for right in rights), one
