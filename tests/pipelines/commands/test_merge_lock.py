"""`fleet images merge-lock`: git calls it, and both sides' builds are in what it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.core.locking import read_lock, write_lock
from reconciler.model.lock import Lock
from tests.core.locks import build, locked
from tests.pipelines.commands.scene import Scene

A, B, C = build("a", 1), build("b", 2), build("c", 3)
PRODUCT = Path(__file__).parents[3]


@pytest.fixture
def driven(scene: Scene) -> Scene:
    """A clone whose git calls the command, as this checkout has it."""
    assert scene.images("merge-lock", "--install").exit_code == 0
    word = scene.git("config", "merge.fleet-lock.driver").strip()
    assert word == "fleet images merge-lock %O %A %B %P"
    start = f"env PYTHONPATH={PRODUCT} {sys.executable} -P -m pipelines"
    scene.git("config", "merge.fleet-lock.driver", word.replace("fleet", start, 1))
    return scene


def merge(scene: Scene, base: Lock, ours: Lock, theirs: Lock) -> tuple[int, str]:
    """What git says of a merge of two branches."""
    scene.write("fleet.lock", write_lock(base))
    scene.commit()
    for branch, lock in (("side", theirs), ("main", ours)):
        scene.git("switch", "-q", *(["-c"] if branch == "side" else []), branch)
        scene.write("fleet.lock", write_lock(lock))
        scene.commit()
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "merge", "--no-edit", "side"],
        cwd=scene.root,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_git_merges_two_branches_that_build(driven):
    base = locked(A)
    code, said = merge(driven, base, locked(B, lock=base), locked(C, lock=base))
    assert code == 0, said
    assert [one.tag for one in driven.lock().images["web"].builds] == ["t-c", "t-b", "t-a"]


def test_git_stops_at_what_cannot_be_decided_and_says_why(driven):
    base = locked(A)
    code, said = merge(driven, base, locked(C, lock=base), locked(build("x", 3), lock=base))
    assert code == 1
    assert "images.web" in said
    lock, findings = read_lock("fleet.lock", (driven.root / "fleet.lock").read_bytes())
    assert findings == ()
    assert {"t-c", "t-x"} <= {one.tag for one in lock.images["web"].builds}


def test_installing_again_changes_nothing_and_keeps_what_is_there(scene):
    scene.write(".gitattributes", "*.bin -diff")
    scene.images("merge-lock", "--install")
    text = (scene.root / ".gitattributes").read_text()
    assert text == "*.bin -diff\n/fleet.lock merge=fleet-lock\n"
    assert "has it already" in scene.images("merge-lock", "--install").stdout
    assert (scene.root / ".gitattributes").read_text() == text


def test_a_lock_that_git_ignores_is_left_out(scene):
    scene.write(".gitignore", "fleet.lock\n")
    scene.images("merge-lock", "--install")
    assert not (scene.root / ".gitattributes").exists() or "fleet.lock" not in (scene.root / ".gitattributes").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "three files are needed"),
        (("a", "b"), "three files are needed"),
        (("no", "no", "no", "x"), "cannot be read"),
        (("--install", "a"), "without files"),
    ],
)
def test_wrong_calls_are_refused(scene, words, says):
    result = scene.images("merge-lock", *words)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
