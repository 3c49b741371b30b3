"""Targets for the contract tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator

import pytest

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from tests.adapters.box import box, plain_git
from tests.adapters.contract import Target

__all__ = ["box", "plain_git", "target"]

_COUNT = itertools.count(1)


@pytest.fixture(params=["memory"])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """Each target with a namespace of its own in it."""
    place = f"contract-{os.getpid()}-{next(_COUNT)}"
    store = MemoryStore()
    target = Target("memory", place, lambda manager: MemoryCluster(store, manager=manager))
    await target.applied(target.namespace())
    yield target
    for writer in target.writers.values():
        await writer.close()
