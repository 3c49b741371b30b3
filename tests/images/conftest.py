"""Fixtures: the real Trivy, what it judges by, and a fleet that it judges."""

import uuid
from pathlib import Path

import pytest

from tests.engines import trivy
from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.images.commands.hut import Hut


@pytest.fixture(scope="session")
def trivy_program() -> Path:
    """Trivy 0.76.0. Locally a test that needs it is skipped where it cannot be had; with CI=true it fails."""
    try:
        return trivy.find()
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"Trivy should be here: {missing}", pytrace=False)
        pytest.skip(f"no Trivy: {missing}")


@pytest.fixture
def hut(tmp_path: Path, registry_host: str, trivy_program: Path) -> Hut:
    """The hut, nothing built yet, with registry paths of its own."""
    return Hut.pitched(tmp_path, registry_host, trivy_program, f"hut-{uuid.uuid4().hex[:8]}")
