"""The lock's file is written whole or not at all, and of two writers neither loses what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.locking import adopt, read_lock, write_lock
from reconciler.core.relock import NotRelocked, relock
from tests.core.locks import build, locked

A, B = build("a", 1), build("b", 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "fleet.lock"
    file.write_bytes(write_lock(locked(A)))
    return file


def adopted(one):
    return lambda data: relock("fleet.lock", data, lambda lock: adopt(lock, "web", one))


def names(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_build_gets_into_the_file(file):
    assert rewrite(file, adopted(B))
    assert read_lock("fleet.lock", file.read_bytes())[0] == locked(A, B)
    assert names(file) == ["fleet.lock"]


def test_a_lock_that_is_not_there_yet_is_made_and_its_folder_too(tmp_path):
    file = tmp_path / ".fleet" / "trial.lock"
    assert rewrite(file, adopted(A))
    assert read_lock("fleet.lock", file.read_bytes())[0] == locked(A)


def test_what_does_not_change_is_not_written(file):
    os.utime(file, ns=(1, 1))
    assert not rewrite(file, adopted(A))
    assert file.stat().st_mtime_ns == 1


def test_the_mode_stays(file):
    file.chmod(0o640)
    rewrite(file, adopted(B))
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "text", [b"- no lock\n", b"lockVersion: 1\n<<<<<<< ours\n=======\n>>>>>>> theirs\n", b"lockVersion: 1\nimages: {web: {}}\n"]
)
def test_a_lock_with_an_error_is_left_as_it_is_and_the_line_is_told(file, text):
    file.write_bytes(text)
    with pytest.raises(NotRelocked, match=r"^fleet\.lock:\d+:\d+: ") as told:
        rewrite(file, adopted(B))
    assert told.value.findings
    assert file.read_bytes() == text
    assert names(file) == ["fleet.lock"]


def test_a_symbolic_link_is_refused(file, tmp_path):
    link = tmp_path / "other.lock"
    link.symlink_to(file)
    before = file.read_bytes()
    with pytest.raises(LockNotWritten, match="symbolic link"):
        rewrite(link, adopted(B))
    assert link.is_symlink()
    assert file.read_bytes() == before


def test_a_folder_and_a_pipe_are_no_lock(tmp_path):
    (tmp_path / "folder.lock").mkdir()
    os.mkfifo(tmp_path / "pipe.lock")
    for name in ("folder.lock", "pipe.lock"):
        with pytest.raises(LockNotWritten):
            rewrite(tmp_path / name, adopted(B))


def test_an_editor_that_writes_meanwhile_loses_nothing(file):
    calls = []

    def change(data):
        calls.append(data)
        if len(calls) == 1:  # somebody saves, after we have read
            file.write_bytes(write_lock(locked(A, build("edited", 3))))
        return adopted(B)(data)

    assert rewrite(file, change)
    assert len(calls) == 2
    assert {one.tag for one in read_lock("x", file.read_bytes())[0].images["web"].builds} == {"t-a", "t-b", "t-edited"}


def test_who_is_overtaken_each_time_gives_up_and_says_so(file):
    count = iter(range(1000))

    def change(data):
        file.write_bytes(write_lock(locked(A, build(f"n{next(count)}", 3))))
        return adopted(B)(data)

    with pytest.raises(LockNotWritten, match="again and again"):
        rewrite(file, change)
    assert names(file) == ["fleet.lock"]


def test_what_a_killed_writer_left_is_in_nobodys_way(file):
    (file.parent / ".fleet.lock.new").write_bytes(b"half a lo")
    assert rewrite(file, adopted(B))
    assert names(file) == ["fleet.lock"]


def test_a_disk_that_is_full_leaves_the_lock_as_it_is(file, monkeypatch):
    before = file.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LockNotWritten, match="No space left") as told:
        rewrite(file, adopted(B))
    assert "make room" in told.value.fix
    assert file.read_bytes() == before
    assert names(file) == ["fleet.lock"]


WRITER = """
    import sys
    from pathlib import Path
    from reconciler.adapters.lockfile import rewrite
    from reconciler.core.locking import adopt
    from reconciler.core.relock import relock
    from tests.core.locks import build
    for number in range(5):
        one = build(f"{sys.argv[2]}{number}", 3)
        rewrite(Path(sys.argv[1]), lambda data: relock("l", data, lambda lock: adopt(lock, f"web-{number}", one)))
"""


def test_of_many_writers_at_once_none_loses_an_entry(file):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(file)]
    children = [subprocess.Popen([*command, name], cwd=Path(__file__).parents[2]) for name in "pqrs"]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    lock, findings = read_lock("l", file.read_bytes())
    assert findings == ()
    for number in range(5):
        assert {one.tag for one in lock.images[f"web-{number}"].builds} == {f"t-{name}{number}" for name in "pqrs"}
