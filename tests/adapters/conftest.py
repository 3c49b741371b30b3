"""Targets for the contract tests: memory, and each API server that is at hand."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from reconciler.adapters.cluster import Pace, connect
from reconciler.adapters.memory import MemoryCluster, MemoryStore
from tests.adapters.box import box, plain_git
from tests.adapters.contract import Target
from tests.adapters.faults import FaultProxy, fault_proxy
from tests.engines import cache, debian
from tests.engines.binaries import Tier, find
from tests.engines.cluster import Cluster as Server
from tests.engines.cluster import down, up

__all__ = ["box", "plain_git", "target"]

_COUNT = itertools.count(1)
SOON = Pace(patience=3, first=0.01, longest=0.05, connect=2, answer=2, silence=0.4)


def best() -> Tier:
    """The best tier of API server that is at hand."""
    return Tier.REAL if find("kube-apiserver") else Tier.SHADOW


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Tier], Server]]:
    """The API server of a tier, started when first asked for."""
    started: dict[Tier, Server] = {}

    def get(tier: Tier) -> Server:
        if tier not in started:
            if tier is Tier.SHADOW and not cache.reuse(debian.PREFIX):
                pytest.skip(f"{tier} is not here")
            started[tier] = up(tmp_path_factory.mktemp("server") / "state", tier, stages=False, tied=True)
        return started[tier]

    yield get
    for one in started.values():
        down(one.state)


@pytest.fixture
def place() -> str:
    """A name for a namespace and a label that no other test uses."""
    return f"contract-{os.getpid()}-{next(_COUNT)}"


@pytest.fixture(params=["memory", *(tier.value.split()[0] for tier in Tier)])
async def target(request: pytest.FixtureRequest, server: Callable[[Tier], Server], place: str) -> AsyncIterator[Target]:
    """Each target with a namespace of its own in it."""
    if request.param == "memory":
        store = MemoryStore()
        target = Target("memory", place, lambda manager: MemoryCluster(store, manager=manager))
    else:
        tier = next(tier for tier in Tier if tier.value.split()[0] == request.param)
        config = str(server(tier).kubeconfig)
        target = Target(request.param, place, lambda manager: connect({}, config, manager=manager), whole=tier is Tier.REAL)
    await target.applied(target.namespace())
    yield target
    for writer in target.writers.values():
        await writer.close()


@pytest.fixture
async def proxy(server: Callable[[Tier], Server]) -> AsyncIterator[FaultProxy]:
    """A proxy that breaks what it is told to, before the best API server at hand."""
    real = server(best())
    async with fault_proxy(real.url, real.authority, real.token) as proxy:
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
