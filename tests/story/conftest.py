"""A desk for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.cluster import Cluster
from tests.story.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, each_cluster: Cluster, prefix: str) -> Desk:
    """The reference fleet, not applied yet."""
    return Desk.set_up(tmp_path / "fleet", each_cluster, prefix)


@pytest.fixture
def applied(desk: Desk) -> Desk:
    """The reference fleet, applied."""
    done = desk.apply()
    assert done.code == 0, done.said
    return desk
