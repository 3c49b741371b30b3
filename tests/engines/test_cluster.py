"""The trial by hand: it starts once, outlives the shell, keeps what it holds over a restart, and goes without a trace."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.binaries import Tier, at_hand
from tests.engines.client import connect
from tests.engines.cluster import ROOT, running, stop
from tests.engines.objects import config, path_of


def engines(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.engines", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(params=list(Tier), ids=lambda tier: tier.value.split()[0])
def state(request: pytest.FixtureRequest, tmp_path: Path):
    tier: Tier = request.param
    if not at_hand(tier):
        pytest.skip(f"{tier} is not here")
    state = tmp_path / "trial"
    done = engines("up", "--state", state, "--tier", tier.value)
    assert done.returncode == 0, done.stderr
    assert f"{tier} " in done.stdout
    assert "simulated" in done.stdout
    yield state
    engines("down", "--state", state)


async def test_trial_starts_once_keeps_its_objects_over_a_restart_and_leaves_nothing(state: Path):
    body = config("default", colour="blue")
    async with connect(state / "kubeconfig") as api:
        assert (await api.apply(path_of(body, "configmaps"), body)).status == 201
    pids = {path.name: path.read_text() for path in (state / "pids").iterdir()}
    assert engines("up", "--state", state).returncode == 0
    assert {path.name: path.read_text() for path in (state / "pids").iterdir()} == pids
    assert engines("status", "--state", state).returncode == 0
    os.kill(int(pids["stages"].split()[0]), 9)
    assert engines("status", "--state", state).returncode == 1
    stop(state)
    assert engines("up", "--state", state).returncode == 0
    async with connect(state / "kubeconfig") as api:
        assert (await api.get(path_of(body, "configmaps"))).body["data"] == {"colour": "blue"}
    done = engines("down", "--state", state)
    assert re.match(r"stopped stages, (shadow, )?apiserver, etcd", done.stdout)
    assert not state.exists()
    assert running(state) == []
    assert engines("down", "--state", state).stdout == "nothing was running\n"


def test_other_tier_is_refused_while_there_is_a_cluster(tmp_path: Path):
    state = tmp_path / "trial"
    state.mkdir()
    (state / "cluster.json").write_text(json.dumps({"tier": Tier.REAL.value, "version": "1", "ports": {}}))
    done = engines("up", "--state", state, "--tier", "apiextensions")
    assert done.returncode == 2
    assert "take it down first" in done.stderr
