"""Fixtures: the real Trivy, and what it judges by."""

from pathlib import Path

import pytest

from tests.engines import trivy
from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci


@pytest.fixture(scope="session")
def trivy_program() -> Path:
    """Trivy 0.76.0. Locally a test that needs it is skipped where it cannot be had; with CI=true it fails."""
    try:
        return trivy.find()
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"Trivy should be here: {missing}", pytrace=False)
        pytest.skip(f"no Trivy: {missing}")
