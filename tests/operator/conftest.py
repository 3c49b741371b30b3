"""An API server that knows our kinds."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.crds import crds
from reconciler.core.home import OPERATOR
from reconciler.core.installation import Part, installation
from reconciler.kinds import KINDS
from reconciler.model.manifests import MANAGER, identify
from tests.engines.binaries import Tier
from tests.engines.client import Api
from tests.engines.cluster import Cluster
from tests.operator.accounts import account, config
from tests.operator.resources import definition, served


@pytest.fixture
async def defined(api: Api) -> Api:
    """The server with every definition in place."""
    for kind, body in zip(KINDS, crds(KINDS), strict=True):
        got = await api.apply(definition(kind), body, manager=MANAGER, query="&force=true&fieldValidation=Strict")
        assert got.status in (200, 201), got.body["message"]
    for kind in KINDS:
        await served(api, kind)
    return api


@pytest.fixture
async def installed(cluster: Cluster, api: Api) -> Api:
    """The server with the operator's account, rights and confinement in force."""
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has no RBAC and no admission policies: this needs a kube-apiserver")
    await install(api)
    return api


async def install(api: Api) -> None:
    """Installs definitions and rights, and waits until the server has taken them up."""
    for body in installation(KINDS, None, [Part.CRDS, Part.RBAC]):
        got = await api.apply(object_path(identify(body)), dict(body), manager=MANAGER, query="&force=true&fieldValidation=Strict")
        assert got.status in (200, 201), got.body["message"]
    for kind in KINDS:
        await served(api, kind)
    async with account(api, OPERATOR) as operator, asyncio.timeout(30):
        while "own namespaces only" not in (await operator.apply(config("default"), query="&dryRun=All")).body.get("message", ""):
            await asyncio.sleep(0.1)
