"""`fleet images database` with the real Trivy and a registry of a few files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.shell.equipment import now
from tests.engines import trivy_db
from tests.images.commands.running import fleet
from tests.images.test_trivy_update import FINDING, Registry


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """The repository of a database that was made an hour ago."""
    registry = Registry()
    registry.publish(trivy_db.write(tmp_path / "published", [FINDING], now() - timedelta(hours=1)))
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,))
    thread.start()
    yield registry.repository
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


def old(folder: Path, **age: float) -> None:
    trivy_db.write(folder, [], now() - timedelta(**age))


def database(tmp_path: Path, program: Path, *arguments: str, **environ: str):
    where = {"FLEET_BLOBS": str(tmp_path / "blobs"), "FLEET_TRIVY_DATABASE": str(tmp_path / "cache"), "FLEET_TRIVY": str(program)}
    return fleet("images", "database", *arguments, cwd=tmp_path, **where, **environ)


def test_what_is_not_there_is_said_with_what_to_do(tmp_path: Path, trivy_program: Path) -> None:
    result = database(tmp_path, trivy_program)
    assert result.exit_code == 1
    assert "Trivy has no database" in result.stdout
    assert "fleet images database update" in result.stderr


def test_an_update_brings_it_and_the_status_says_its_age(tmp_path: Path, trivy_program: Path, published: str) -> None:
    old(tmp_path / "cache", days=30)
    assert database(tmp_path, trivy_program, "status").exit_code == 1
    updated = database(tmp_path, trivy_program, "update", "--repository", published)
    assert updated.exit_code == 0, updated.output
    said = json.loads(database(tmp_path, trivy_program, "status", "-o", "json").stdout)
    assert 0.9 < said["hours"] < 1.5
    assert (said["fault"], said["java"]) == (None, False)


def test_the_variable_names_a_mirror_too(tmp_path: Path, trivy_program: Path, published: str) -> None:
    assert database(tmp_path, trivy_program, "update", FLEET_TRIVY_REPOSITORY=published).exit_code == 0


def test_a_failed_update_is_no_success(tmp_path: Path, trivy_program: Path) -> None:
    result = database(tmp_path, trivy_program, "update", "--repository", "127.0.0.1:9/nobody/trivy-db:2")
    assert result.exit_code == 3
    assert "127.0.0.1:9" in result.stderr


@pytest.mark.parametrize(
    ("hours", "ci", "code"), [(20, None, 0), (20, "true", 0), (48, None, 0), (48, "true", 1), (48, "false", 0), (200, None, 1)]
)
def test_a_desk_may_have_an_older_one_than_ci(tmp_path: Path, trivy_program: Path, hours: float, ci: str | None, code: int) -> None:
    old(tmp_path / "cache", hours=hours)
    assert database(tmp_path, trivy_program, "status", **({"CI": ci} if ci else {})).exit_code == code
