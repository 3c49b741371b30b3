"""The trial's lock."""

from datetime import date
from pathlib import Path

from reconciler.core.locking import read_lock
from tests.engines.invented import write_lock


def test_invented_lock_reads_and_has_a_build_to_go_back_to(tmp_path: Path):
    (tmp_path / "images").mkdir()
    for name in ("base-python", "opa"):
        (tmp_path / "images" / f"{name}.yaml").touch()
    path = tmp_path / "state" / "trial.lock"
    assert write_lock(tmp_path, path, date(2026, 11, 21)) == 2
    lock, findings = read_lock("trial.lock", path.read_bytes())
    assert findings == ()
    assert set(lock.images) == {"base-python", "opa"}
    for builds in lock.images.values():
        assert builds.previous
        assert builds.previous.digest != builds.current.digest


def test_lock_that_is_there_stays_as_it_is(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "opa.yaml").touch()
    path = tmp_path / "trial.lock"
    write_lock(tmp_path, path, date(2026, 11, 21))
    before = path.read_bytes()
    write_lock(tmp_path, path, date(2026, 12, 24))
    assert path.read_bytes() == before
