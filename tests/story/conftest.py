"""A desk for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.cluster import Cluster
from tests.story.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, cluster: Cluster, prefix: str) -> Desk:
    """The reference fleet, not applied yet, beside the best API server that is to be had."""
    return Desk.set_up(tmp_path / "fleet", cluster, prefix)


@pytest.fixture
def applied(desk: Desk) -> Desk:
    """The reference fleet, applied."""
    return _applied(desk)


@pytest.fixture
def each_desk(tmp_path: Path, each_cluster: Cluster, prefix: str) -> Desk:
    """The reference fleet beside each tier of API server: for what a tier might do otherwise."""
    return Desk.set_up(tmp_path / "fleet", each_cluster, prefix)


@pytest.fixture
def each_applied(each_desk: Desk) -> Desk:
    """The reference fleet, applied on each tier."""
    return _applied(each_desk)


def _applied(desk: Desk) -> Desk:
    done = desk.apply()
    assert done.code == 0, done.said
    return desk
