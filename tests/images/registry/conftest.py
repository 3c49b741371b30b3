"""Registries under test: memory with and without the referrers API, and Debian's docker-registry over HTTP."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from pipelines.adapters.memory import MemoryRegistry
from pipelines.adapters.registry import KnownLogins, OciRegistry, Pace, Settings
from pipelines.model.oci import Repository
from pipelines.ports import Registry

_COUNT = itertools.count(1)
SOON = Pace(attempts=4, first=0.001, longest=0.01, connect=2, idle=5, whole=10)


def settings(pace: Pace = SOON, **more: object) -> Settings:
    return Settings(KnownLogins({}), pace=pace, **more)


@dataclass
class Place:
    """A registry, and repositories in it that no other test uses."""

    registry: Registry
    host: str
    real: bool

    def repository(self, name: str = "app") -> Repository:
        return Repository(self.host, f"t{os.getpid()}-{next(_COUNT)}/{name}")


@pytest.fixture(params=["memory", "memory-without-referrers", "docker-registry"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "docker-registry":
        registry = OciRegistry(settings())
        yield Place(registry, request.getfixturevalue("registry_host"), real=True)
        await registry.close()
    else:
        yield Place(MemoryRegistry(has_referrers=request.param == "memory", deletes_tags=False), "registry.example", real=False)


@pytest.fixture
async def real(registry_host: str) -> AsyncIterator[Place]:
    registry = OciRegistry(settings())
    yield Place(registry, registry_host, real=True)
    await registry.close()
