"""The workflows agree with the code that feeds them, and hold to what they promise about rights, keys and pins."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.core.matrix import WAVES, Leg, matrix

FOLDER = Path(__file__).parents[2] / ".github"
FILES = sorted(path for path in (*FOLDER.glob("workflows/*.yml"), *FOLDER.glob("actions/*/action.yml")))
KEY = "secrets.FLEET_SIGNING_KEY"


@cache
def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / "workflows" / f"{name}.yml").read_text())
    return found


def test_there_is_a_job_for_each_wave_that_follows_the_one_before():
    jobs = workflow("images")["jobs"]
    outputs = jobs["plan"]["outputs"]
    assert [name for name in jobs if name.startswith("wave")] == [f"wave{number}" for number in range(WAVES)]
    for number in range(WAVES):
        job = jobs[f"wave{number}"]
        assert f"needs.plan.outputs.any{number} == 'true'" in job["if"]
        assert f"outputs.wave{number} " in job["with"]["legs"]
        assert {f"any{number}", f"wave{number}"} <= outputs.keys()
        assert job["needs"] == (["plan", f"wave{number - 1}"] if number else "plan")
        assert f"wave{number}" in jobs["built"]["needs"]


def test_the_required_check_is_there_whatever_was_built():
    assert workflow("images")["jobs"]["built"]["if"] == "${{ always() }}"


def test_a_leg_has_all_that_its_job_asks_for():
    (row,) = matrix([Leg(("family-web",), "linux/amd64", ("mainpc", "pc2"))])["include"]
    asked = set(re.findall(r"matrix\.(\w+)", (FOLDER / "workflows/image-wave.yml").read_text()))
    assert asked == row.keys() - {"include"}
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", row["slug"])  # the name of an artifact


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path):
    for line in path.read_text().splitlines():
        if (found := re.search(r"uses:\s*(\S+)(.*)", line)) and not found[1].startswith("./"):
            assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", found[1]), line
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", found[2]), line


def test_one_job_alone_holds_the_key_and_it_runs_on_main_alone():
    texts = {path.stem: path.read_text() for path in FILES}
    assert [(name, text.count(KEY)) for name, text in texts.items() if KEY in text] == [("images", 1)]
    job = workflow("images")["jobs"]["publish"]
    assert KEY in str(job)
    assert job["environment"] == "signing"
    assert "github.event_name == 'push'" in job["if"]


@pytest.mark.parametrize("name", ["images", "image-wave", "refresh", "rescan", "release", "plan", "ci"])
def test_where_a_secret_is_nothing_of_a_pull_request_runs(name: str):
    for job in workflow(name)["jobs"].values():
        if "secrets." in str(job):
            runs_code = ".venv/bin/" in str(job) or "./.github/actions/setup" in str(job)
            assert "environment" in job
            assert not runs_code or "github.event_name == 'push'" in job["if"]


def test_a_fork_pushes_nothing():
    jobs = workflow("images")["jobs"]
    (trust,) = (step for step in jobs["plan"]["steps"] if step.get("id") == "trust")
    assert (
        trust["env"]["PUSH"] == "${{ github.event_name == 'push' || github.event.pull_request.head.repo.full_name == github.repository }}"
    )
    assert jobs["lock"]["if"] == "${{ needs.plan.outputs.push == 'true' }}"
    assert all("pull_request_target" not in path.read_text().replace("not `pull_request_target`", "") for path in FILES)
