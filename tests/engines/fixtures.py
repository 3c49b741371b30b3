"""Fixtures: a real API server for the whole run, and a corner of it for each test.

Locally a missing engine skips a test, with a sentence; with CI=true it fails it. FLEET_TEST_CLUSTER=kube-apiserver|apiextensions
forces the tier.
"""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines import registries
from tests.engines.binaries import Tier, at_hand
from tests.engines.cache import EngineMissing
from tests.engines.client import Api, connect
from tests.engines.cluster import Cluster, down, up

_COUNT = itertools.count(1)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def started(folder: Path, tier: Tier | None) -> Iterator[Cluster]:
    """A cluster that lives as long as the fixture; its processes die with this one whatever happens."""
    try:
        cluster = up(folder / "state", tier, tied=True)
    except EngineMissing as missing:
        if in_ci() and (tier is None or os.environ.get("FLEET_TEST_CLUSTER")):
            pytest.fail(f"a Kubernetes API server should be here: {missing}", pytrace=False)
        pytest.skip(f"no Kubernetes API server: {missing}")
    yield cluster
    down(cluster.state)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The best API server that is to be had, with etcd and the player of stages."""
    yield from started(tmp_path_factory.mktemp("cluster"), None)


@pytest.fixture(scope="session", params=list(Tier), ids=lambda tier: tier.value.split()[0])
def each_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of each tier; the shadow tier is built for this in CI only, since that takes minutes."""
    tier: Tier = request.param
    forced = os.environ.get("FLEET_TEST_CLUSTER")
    if forced and not tier.value.startswith(forced.split()[0]):
        pytest.skip(f"FLEET_TEST_CLUSTER={forced}")
    if not at_hand(tier) and not (in_ci() and tier is Tier.SHADOW):
        name = tier.value.split()[0]
        pytest.skip(f"{tier} is not here: .venv/bin/python -m tests.engines prepare --tier {name}")
    yield from started(tmp_path_factory.mktemp("tier"), tier)


@pytest.fixture(scope="session")
def registry_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that takes everything from everybody: `127.0.0.1:PORT`."""
    try:
        daemon, host = registries.start(tmp_path_factory.mktemp("registry"))
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"docker-registry should be here: {missing}", pytrace=False)
        pytest.skip(f"no registry: {missing}")
    yield host
    daemon.stop()


@pytest.fixture
def prefix() -> str:
    """A name that no other test uses; also good as the id of an environment."""
    return f"t{os.getpid():x}-{next(_COUNT)}"


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with connect(cluster.kubeconfig) as api:
        yield api


@pytest.fixture
async def each_api(each_cluster: Cluster) -> AsyncIterator[Api]:
    async with connect(each_cluster.kubeconfig) as api:
        yield api


@pytest.fixture
async def namespace(api: Api, prefix: str) -> AsyncIterator[str]:
    """A namespace in the shared cluster, deleted in the background when the test is over."""
    async for name in place(api, prefix):
        yield name


@pytest.fixture
async def each_namespace(each_api: Api, prefix: str) -> AsyncIterator[str]:
    async for name in place(each_api, prefix):
        yield name


async def place(api: Api, name: str) -> AsyncIterator[str]:
    got = await api.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert got.status == 201, got.body
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")
