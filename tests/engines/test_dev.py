"""./dev and the lock of what it installs."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.engines.cluster import ROOT

LOCK = (ROOT / ".ci" / "requirements.txt").read_text()
COMMANDS = ("up", "down", "test", "check", "fmt", "faults", "bench", "lock", "clean", "help")


def dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "dev", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", name, maxsplit=1)[0]).lower()


def wanted() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [one for group in project["project"]["optional-dependencies"].values() for one in group]
    tools = [line for line in (ROOT / ".ci" / "tools.in").read_text().splitlines() if not line.startswith("#")]
    every = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"], *tools]
    return {normal(one) for one in every} - {"fleetwright"}


def test_lock_names_every_dependency_of_the_project():
    assert wanted() <= {normal(name) for name in re.findall(r"^(\S+)==", LOCK, re.MULTILINE)}


def test_everything_locked_has_a_hash_and_no_address():
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) > len(wanted())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in LOCK


def test_help_tells_every_command():
    done = dev("help")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if re.match(r"  \S", line)] == list(COMMANDS)


def test_unknown_command_is_a_usage_error():
    done = dev("upp")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown command 'upp'" in done.stderr


@pytest.mark.parametrize("failing", ["check", "test"])
def test_ci_fails_when_a_half_of_it_fails(tmp_path: Path, failing: str):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (tmp_path / "dev").write_text(f'#!/bin/sh\necho "$1 CI=$CI"\n[ "$1" != {failing} ]\n')
    for name in (".ci/run", "dev"):
        (tmp_path / name).chmod(0o755)
    done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode != 0
    assert done.stdout.splitlines() == (["check CI=true"] if failing == "check" else ["check CI=true", "test CI=true"])
