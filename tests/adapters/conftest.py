"""Targets for the contract tests: memory, and each API server that is at hand."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconciler.adapters.cluster import Pace, connect
from reconciler.adapters.memory import MemoryCluster, MemoryStore
from tests.adapters.box import box, plain_git
from tests.adapters.contract import Target
from tests.adapters.faults import FaultProxy, fault_proxy
from tests.engines.binaries import Tier, at_hand
from tests.engines.cluster import Cluster as Server
from tests.engines.fixtures import in_ci, started

__all__ = ["box", "plain_git", "target"]

_COUNT = itertools.count(1)
SOON = Pace(patience=3, first=0.01, longest=0.05, connect=2, answer=2, silence=0.4)


def named(name: str) -> Tier:
    """The tier whose name begins so."""
    return next(tier for tier in Tier if tier.value.split()[0] == name)


@pytest.fixture(scope="session")
def server(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Tier], Server]]:
    """The API server of a tier: the one that all tests share, or one of its own, started when first asked for."""
    others: dict[Tier, Server] = {cluster.tier: cluster}
    with ExitStack() as stack:

        def get(tier: Tier) -> Server:
            if tier not in others:
                if os.environ.get("FLEET_TEST_CLUSTER"):
                    pytest.skip(f"FLEET_TEST_CLUSTER={os.environ['FLEET_TEST_CLUSTER']}")
                if not at_hand(tier) and not (in_ci() and tier is Tier.SHADOW):
                    pytest.skip(f"{tier} is not here: .venv/bin/python -m tests.engines prepare --tier {tier.value.split()[0]}")
                others[tier] = stack.enter_context(contextmanager(started)(tmp_path_factory.mktemp("server"), tier))
            return others[tier]

        yield get


@pytest.fixture
def place() -> str:
    """A name for a namespace and a label that no other test uses."""
    return f"contract-{os.getpid()}-{next(_COUNT)}"


@pytest.fixture(params=["memory", *(tier.value.split()[0] for tier in Tier)])
async def target(request: pytest.FixtureRequest, place: str) -> AsyncIterator[Target]:
    """Each target with a namespace of its own in it."""
    if request.param == "memory":
        store = MemoryStore()
        target = Target("memory", place, lambda manager: MemoryCluster(store, manager=manager))
    else:
        tier = named(request.param)
        config = str(request.getfixturevalue("server")(tier).kubeconfig)
        target = Target(request.param, place, lambda manager: connect({}, config, manager=manager), whole=tier is Tier.REAL)
    await target.applied(target.namespace())
    yield target
    for writer in target.writers.values():
        await writer.close()


@pytest.fixture
async def proxy(cluster: Server) -> AsyncIterator[FaultProxy]:
    """A proxy that breaks what it is told to, before the best API server at hand."""
    async with fault_proxy(cluster.url, cluster.authority, cluster.token) as proxy:
        yield proxy


@pytest.fixture
async def broken(proxy: FaultProxy, place: str, tmp_path: Path) -> AsyncIterator[Target]:
    """A target behind the proxy, with a namespace of its own, that tries again soon and gives up soon."""
    config = proxy.kubeconfig(tmp_path / "kubeconfig")
    target = Target("proxy", place, lambda manager: connect({}, config, manager=manager, pace=SOON))
    await target.applied(target.namespace())
    proxy.seen.clear()
    proxy.passed.clear()
    yield target
    proxy.heal()
    for writer in target.writers.values():
        await writer.close()
