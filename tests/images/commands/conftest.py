"""The hut, nothing built yet, with registry paths of its own."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.images.commands.hut import Hut


@pytest.fixture
def hut(tmp_path: Path, registry_host: str, trivy_program: Path) -> Hut:
    return Hut.pitched(tmp_path, registry_host, trivy_program, f"hut-{uuid.uuid4().hex[:8]}")
