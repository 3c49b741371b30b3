"""git itself, with our driver: two branches that build merge without a person, and where they cannot git says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.core.locking import read_lock, write_lock
from reconciler.model.lock import Lock
from tests.core.locks import build, locked

A, B, C = build("a", 1), build("b", 2), build("c", 3)
DRIVER = """
import sys
from pathlib import Path
from reconciler.core.lock_driver import drive
base, ours, theirs = (Path(name).read_bytes() for name in sys.argv[1:4])
driven = drive(sys.argv[4], base, ours, theirs)
Path(sys.argv[2]).write_bytes(driven.data)
sys.exit(bool(driven.conflicts))
"""


class Repository:
    """A repository whose locks our driver merges."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "driver.py").write_text(f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n{DRIVER}")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "merge.fleet-lock.driver", f"{sys.executable} {root}/driver.py %O %A %B %P")
        self.commit(".gitattributes", b"fleet.lock merge=fleet-lock\n")

    def git(self, *words: str, code: int = 0) -> str:
        who = ("-c", "user.name=ana", "-c", "user.email=ana@acme.example", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def commit(self, name: str, data: bytes) -> None:
        (self.root / name).write_bytes(data)
        self.git("add", name)
        self.git("commit", "--quiet", "--message", name)

    def merged(self, base: Lock, ours: Lock, theirs: Lock, code: int = 0) -> Lock:
        """The lock in the work tree after `git merge`, which ends with that code."""
        self.commit("fleet.lock", write_lock(base))
        self.git("switch", "--quiet", "--create", "side")
        self.commit("fleet.lock", write_lock(theirs))
        self.git("switch", "--quiet", "main")
        self.commit("fleet.lock", write_lock(ours))
        self.git("merge", "--quiet", "--no-edit", "side", code=code)
        lock, findings = read_lock("fleet.lock", (self.root / "fleet.lock").read_bytes())
        assert not findings
        return lock


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_two_branches_that_build_merge_by_themselves(repository):
    base = locked(A)
    lock = repository.merged(base, locked(B, lock=base), locked(C, lock=base))
    assert [one.tag for one in lock.images["web"].builds] == ["t-c", "t-b", "t-a"]
    assert repository.git("status", "--porcelain", "--untracked-files=no") == ""


def test_what_cannot_be_decided_is_a_conflict_of_git(repository):
    base = locked(A)
    repository.merged(base, locked(C, lock=base), locked(build("x", 3), lock=base), code=1)
    assert repository.git("status", "--porcelain", "--untracked-files=no").startswith("UU fleet.lock")


def test_a_rebase_goes_through_as_well(repository):
    base = locked(A)
    repository.commit("fleet.lock", write_lock(base))
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit("fleet.lock", write_lock(locked(B, lock=base)))
    repository.commit("fleet.lock", write_lock(locked(C, lock=locked(B, lock=base))))
    repository.git("switch", "--quiet", "main")
    repository.commit("fleet.lock", write_lock(locked(A, image="api", lock=base)))
    repository.git("rebase", "--quiet", "main", "side")
    lock, _ = read_lock("fleet.lock", (repository.root / "fleet.lock").read_bytes())
    assert (list(lock.images), lock.images["web"].current) == (["api", "web"], C)
