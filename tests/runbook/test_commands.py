"""Every block of commands of the runbook, run as it stands, on a real API server. Each section ends where it began."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.client import MERGE
from tests.engines.cluster import Cluster
from tests.engines.fixtures import in_ci
from tests.runbook.test_rollback_procedure import TEXT, blocks
from tests.story.desk import ROOT, Desk
from tests.story.test_rollback import NEW, OLD, digest, image_of, locked

NAME, SPEC = "service-registry", "specs/services/agents/service-registry.yaml"
_COUNT = itertools.count(1)


def section(number: int) -> list[str]:
    """The blocks of a section, in order."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"the runbook has no section {number}"
    return blocks(found[0])


class Shell:
    """Somebody's terminal: a clone whose branch is deployed from a remote, `fleet` on the PATH, kubectl told where the cluster is."""

    def __init__(self, desk: Desk, programs: Path) -> None:
        self.desk = desk
        self.start = desk.git("rev-parse", "HEAD").strip()
        script = programs / "fleet"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines "$@"\n')
        script.chmod(0o755)
        self.env = {
            **desk._env({}),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(desk.cluster.kubeconfig),
            "NAMESPACE": desk.namespace("agents"),
            "LOCK": ".fleet/trial.lock",
        }

    def run(self, *scripts: str) -> str:
        """Runs blocks as they stand; each must succeed."""
        said = ""
        for script in scripts:
            strict = f"set -euo pipefail\n{script}"
            done = subprocess.run(["bash", "-c", strict], cwd=self.desk.root, env=self.env, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"$ {script}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
            said += done.stdout + done.stderr
        return said

    def begin(self) -> None:
        """As it was before any section: two builds, nothing held, all applied and pushed."""
        self.desk.git("reset", "-q", "--hard", self.start)
        self.desk.git("push", "-q", "--force", "origin", "main")
        assert self.desk.apply().code == 0

    def edit(self, path: str, before: str, after: str) -> None:
        """Somebody's commit, pushed and applied."""
        text = self.desk.read(path)
        assert text.count(before) == 1
        self.desk.write(path, text.replace(before, after))
        self.desk.commit("an edit")
        self.desk.git("push", "-q")
        assert self.desk.apply().code == 0

    def runs(self, letter: str) -> bool:
        """Whether the service's live image is the build of that letter."""
        return image_of(self.desk, NAME).endswith(digest(letter))

    def pushed(self) -> bool:
        """Whether what was committed is where it is deployed from."""
        return self.desk.git("rev-parse", "HEAD") == self.desk.git("rev-parse", "origin/main")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("runbook")
    desk = Desk.set_up(folder / "fleet", cluster, f"r{os.getpid():x}-{next(_COUNT)}")
    locked(desk, "b", {"b": NEW, "a": OLD})
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", folder / "remote.git"], check=True)
    desk.git("remote", "add", "origin", str(folder / "remote.git"))
    desk.git("push", "-q", "--set-upstream", "origin", "main")
    (folder / "bin").mkdir()
    assert desk.apply().code == 0
    return Shell(desk, folder / "bin")


@pytest.fixture
def shell(terminal: Shell) -> Shell:
    terminal.begin()
    return terminal


def test_every_section_is_run_here():
    assert re.findall(r"^## (\d)\. ", TEXT, re.MULTILINE) == [str(number) for number in range(9)]


def test_0_the_look_says_what_runs(shell: Shell):
    (look,) = section(0)
    said = shell.run(look)
    assert NEW in said
    assert "completed" in said


def test_1_a_bad_image_is_held_back_and_released(shell: Shell):
    roll, push, apply, see, undo = section(1)
    shell.run(roll, push, apply)
    assert shell.runs("a")
    assert shell.pushed()
    assert shell.desk.git("show", "--numstat", "--format=", "HEAD").split() == ["1", "0", SPEC]
    assert f"held at {OLD}" in shell.run(see)
    assert shell.desk.plan()["steps"] == []
    shell.run(undo)
    assert shell.runs("b")
    assert shell.desk.read(SPEC) == (ROOT / SPEC).read_text()


def test_2_a_bad_edit_of_a_spec_is_put_back_whole(shell: Shell):
    shell.edit(SPEC, "replicas: 2", "replicas: 5")
    edited = shell.desk.read(SPEC)
    look, roll, see, undo = section(2)
    assert "an edit" in shell.run(look)
    shell.run(roll)
    assert shell.desk.read(SPEC) == (ROOT / SPEC).read_text()
    shell.run(see)
    assert shell.desk.ask("GET", shell.desk.deployment(NAME))["spec"]["replicas"] == 2
    shell.run(undo)
    assert shell.desk.read(SPEC) == edited
    assert shell.desk.ask("GET", shell.desk.deployment(NAME))["spec"]["replicas"] == 5


def test_3_a_bad_change_of_the_fleet_is_put_back(shell: Shell):
    shell.edit("fleet.yaml", "cpu-small: {cpu: 250m", "cpu-small: {cpu: 100m")
    look, push_and_apply, see = section(3)
    said = shell.run(look)
    assert "250m" in said
    assert shell.desk.plan()["summary"]["update"] > 5
    shell.run(push_and_apply, see)
    assert shell.pushed()


def test_4_a_one_off_is_undone_by_the_next_apply(shell: Shell):
    once, see, undo = section(4)
    shell.run(once)
    assert shell.runs("a")
    shell.run(see, undo)
    assert shell.runs("b")


def test_5_a_hold_keeps_what_runs(shell: Shell):
    hold, see, undo = section(5)
    shell.run(hold)
    assert f"held at {NEW}" in shell.run(see)
    locked(shell.desk, "c", {"c": "20261121-77aa001", "b": NEW, "a": OLD})
    try:
        assert shell.desk.apply().code == 0
        assert shell.runs("b")
    finally:
        locked(shell.desk, "b", {"b": NEW, "a": OLD})
    shell.run(undo)
    assert shell.desk.plan()["notes"] == [note for note in shell.desk.plan()["notes"] if note["note"] != "held"]


def test_6_kubectl_does_it_by_hand(shell: Shell):
    if not shutil.which("kubectl"):
        (pytest.fail if in_ci() else pytest.skip)("kubectl is not on the PATH: apt-get install kubernetes-client")
    by_hand, see, undo = section(6)
    shell.run(by_hand)
    assert shell.runs("a")
    shell.run(see)
    drift = shell.desk.fleet("drift")
    assert drift.code == 1
    assert NAME in drift.out
    shell.run(undo)
    assert shell.runs("b")
    assert shell.desk.fleet("drift").code == 0


def test_7_git_alone_does_it(shell: Shell):
    by_hand, see, undo = section(7)
    shell.run(by_hand)
    assert "1 insertion(+)" in shell.run(see)
    assert shell.pushed()
    assert shell.desk.apply().code == 0
    assert shell.runs("a")
    shell.run(undo)
    assert shell.desk.apply().code == 0
    assert shell.runs("b")


def test_8_what_the_operator_put_back_is_honoured_by_hand_and_made_last_in_git(shell: Shell):
    """The operator itself, and the rest of the section, are in the operator's story; here it is gone, and what it kept is left."""
    make_it_last, see, _, _ = section(8)
    shell.edit(SPEC, "  image: family-web\n", "  image: family-web\n  onFailure: hold-previous\n")
    hold = {"failed": digest("b"), "failed_tag": NEW, "digest": digest("a"), "tag": OLD, "reason": f"{NEW} did not become healthy"}
    track = json.dumps({"kind": "Service", "name": NAME, "healthy": digest("a"), "spent": [digest("b")], "hold": hold})
    shard = f"/api/v1/namespaces/fleetwright-system/configmaps/inventory-{shell.desk.prefix}-agents"
    shell.desk.ask("PATCH", shard, {"data": {"tracks": track}}, MERGE)
    assert shell.desk.apply().code == 0
    assert shell.runs("a")
    assert f"held at {OLD}, by the operator: {NEW} did not become healthy" in shell.run(see)
    assert shell.desk.plan()["steps"] == []
    shell.run(make_it_last)
    said = shell.run(see)
    assert f"held at {OLD}" in said
    assert "by the operator" not in said
    assert shell.pushed()
    shell.desk.ask("PATCH", shard, {"data": {"tracks": None}}, MERGE)
