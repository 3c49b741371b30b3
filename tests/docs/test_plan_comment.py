"""The script that plans a pull request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.story.desk import DECLARED, ROOT

SPEC = "specs/images/base-python.yaml"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A pull request's work tree: one commit ahead of the branch that it left."""
    root = tmp_path / "fleet"
    (root / ".venv/bin").mkdir(parents=True)
    script = root / ".venv/bin/fleet"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines "$@"\n')
    script.chmod(0o755)
    for name in DECLARED:
        if (ROOT / name).exists():
            subprocess.run(["cp", "-r", ROOT / name, root / name], check=True)
    git(root, "init", "-q", "-b", "main")
    (root / ".gitignore").write_text("/.venv/\n")
    commit(root)
    git(root, "checkout", "-q", "-b", "topic")
    text = (root / SPEC).read_text()
    (root / SPEC).write_text(text.replace("spec:\n", "spec:\n  epoch: 1\n"))
    commit(root)
    return root


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=ana", "-c", "user.email=ana@fleet.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "an edit")


def plan(root: Path, environment: str = "production") -> tuple[int, str, str]:
    summary = root.parent / "summary.md"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLEET_", "KUBE"))}
    env = {**kept, "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(
        [ROOT / ".github/plan.sh", environment, "main", "plan.md"], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, (root / "plan.md").read_text(), summary.read_text()


def test_the_plan_is_what_the_branch_changed_and_is_found_by_its_first_line(clone: Path):
    code, text, summary = plan(clone)
    assert code == 0
    assert text.startswith("<!-- fleetwright plan production -->\n")
    assert "4 rebuilds, 24 rolls" in text
    assert summary == text


def test_errors_fail_the_job_and_are_in_the_comment(clone: Path):
    (clone / SPEC).write_text((clone / SPEC).read_text().replace("spec:\n", "spec:\n  epok: 1\n"))
    commit(clone)
    code, text, _ = plan(clone)
    assert code == 1
    assert "did you mean `epoch`?" in text or "epok" in text


def test_what_cannot_be_planned_says_why_under_the_same_mark(clone: Path):
    code, text, _ = plan(clone, "nowhere")
    assert code == 2
    assert text.startswith("<!-- fleetwright plan nowhere -->\n")
    assert "there is no environment" in text
