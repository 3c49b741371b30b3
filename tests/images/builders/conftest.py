"""A bench for each builder: the builder, a registry with a base image, folders of the test's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.images.builders.base import Base, base
from tests.images.builders.bench import Bench
from tests.images.builders.known import KNOWN, ONLY


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """A registry on loopback with the image that builds start from."""
    try:
        with base(tmp_path_factory.mktemp("base")) as made:
            yield made
    except EngineMissing as missing:
        _missing(missing)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Base]:
    """The same in a registry that wants a password."""
    folder = tmp_path / "private"
    folder.mkdir()
    try:
        with base(folder, private=True) as made:
            yield made
    except EngineMissing as missing:
        _missing(missing)


@pytest.fixture(params=sorted(KNOWN))
async def bench(request: pytest.FixtureRequest, busybox: Base, tmp_path: Path) -> AsyncIterator[Bench]:
    """Each builder that is to be had."""
    wanted = os.environ.get(ONLY, "")
    if wanted and request.param not in wanted.split(","):
        pytest.skip(f"{ONLY}={wanted}")
    try:
        builder = KNOWN[request.param](tmp_path / "state", {})
    except EngineMissing as missing:
        _missing(missing)
    yield Bench(request.param, builder, busybox, tmp_path)
    await builder.close()


def _missing(why: EngineMissing) -> None:
    """Locally a skip; in CI a failure, except for an engine that this kind of machine cannot have."""
    if in_ci() and "Dagger" not in str(why):
        pytest.fail(str(why), pytrace=False)
    pytest.skip(str(why))
