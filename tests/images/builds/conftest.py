"""One yard a module; a test skips with a sentence where an engine is missing, and fails where it must not be (CI)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.images.builds.yard import Yard, program, require_root


def missing(why: str) -> None:
    if in_ci():
        pytest.fail(f"it should be here: {why}", pytrace=False)
    pytest.skip(why)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def yard(tmp_path_factory: pytest.TempPathFactory, registry_host: str) -> AsyncIterator[Yard]:
    try:
        program("buildah", "buildah")
        require_root("building in mount namespaces of one's own")
        made = Yard(tmp_path_factory.mktemp("yard"), registry_host)
        await made.begin()
    except EngineMissing as why:
        missing(str(why))
    yield made
    await made.end()
