"""An API server that knows our kinds."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.crds import crds
from reconciler.kinds import KINDS
from reconciler.model.manifests import MANAGER
from tests.engines.binaries import Tier
from tests.engines.client import Api, connect
from tests.engines.cluster import Cluster
from tests.operator.corner import install
from tests.operator.resources import definition, served
from tests.operator.story import Story, told


@pytest.fixture
async def defined(api: Api) -> Api:
    """The server with every definition in place."""
    for kind, body in zip(KINDS, crds(KINDS), strict=True):
        got = await api.apply(definition(kind), body, manager=MANAGER, query="&force=true&fieldValidation=Strict")
        assert got.status in (200, 201), got.body["message"]
    for kind in KINDS:
        await served(api, kind)
    return api


@pytest.fixture(scope="session")
def installation_of(cluster: Cluster) -> Cluster:
    """The server with the operator's account, rights and confinement in force."""
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has no RBAC and no admission policies: this needs a kube-apiserver")
    asyncio.run(installed_on(cluster))
    return cluster


async def installed_on(cluster: Cluster) -> None:
    async with connect(cluster.kubeconfig) as api:
        await install(api)


@pytest.fixture
def installed(installation_of: Cluster, api: Api) -> Api:
    """The same, as an administrator talks to it."""
    return api


@pytest.fixture(scope="session")
def story(installation_of: Cluster) -> Story:
    """What happened to the whole fleet."""
    return asyncio.run(told(installation_of))
