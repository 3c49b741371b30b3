"""A ledger that cannot be written: the cluster is reconciled all the same, and that is told once."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.adapters.ledger import open_at
from reconciler.ports import RunRecord
from tests.fleets import Repo, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until
from tests.flow.operator.test_operator import settled


@contextmanager
def full(_: Path) -> Iterator[None]:
    """No file may grow beyond a few pages, as this one would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else has the database for himself."""
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize("trouble", [full, locked])
async def test_a_ledger_on_a_full_disk_or_locked_delays_nobody(tmp_path: Path, trouble) -> None:
    path, warnings = tmp_path / "ledger.db", []
    ledger = open_at(f"sqlite:///{path}", warnings.append)
    assert ledger.runs(None, 1) == ()
    site = Site(Shelf(Repo.small()))
    site.ledger = ledger  # type: ignore[assignment]
    with trouble(path):
        async with site.running() as operator:
            await settled(site, operator, site.shelf.head.revision)
            for number in range(3):
                text = service("s0", extra=f"  env: {{NUMBER: '{number}'}}\n")
                revision = site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", text))
                operator.wake("webhook")
                await settled(site, operator, revision)
            await until(lambda: bool(warnings), 60)
            live = (await site.live())[deployment("s0")]
            assert {"name": "NUMBER", "value": "2"} in live.body["spec"]["template"]["spec"]["containers"][0]["env"]
    assert len(warnings) == 1
    assert all(isinstance(one, RunRecord) for one in ledger.runs(None, 10))
