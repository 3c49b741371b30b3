"""`fleet images` on the reference fleet: what commands say and refuse before a registry or a builder is asked for anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.shell.images import command

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=ana", "-c", "user.email=ana@fleet.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference fleet as a repository of its own."""
    folder = tmp_path_factory.mktemp("fleet")
    for name in ("specs", "images", "policies"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "fleet.yaml", folder)
    (folder / ".gitignore").write_text("/.fleet/\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "the fleet")
    return folder


@pytest.fixture
def fleet(clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The same, and afterwards as it was."""
    monkeypatch.setenv("FLEET_BLOBS", str(tmp_path / "blobs"))
    yield clone
    git(clone, "checkout", "-q", ".")
    git(clone, "clean", "-qfd")


def images(repo: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--repo", str(repo)])


def edit(fleet: Path, path: str, old: str, new: str) -> None:
    text = (fleet / path).read_text()
    assert old in text
    (fleet / path).write_text(text.replace(old, new))


def legs(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [[leg["images"] for leg in wave["include"]] for wave in json.loads(result.stdout)["waves"]]


def test_without_a_lock_everything_is_built_in_four_waves(fleet: Path) -> None:
    found = legs(images(fleet, "matrix", "--env", "production"))
    assert [len(wave) for wave in found] == [7, 3, 2, 1]
    assert found[-1] == ["family-web"]


def test_a_pull_request_that_touches_one_family_has_one_leg(fleet: Path) -> None:
    assert legs(images(fleet, "matrix", "--env", "production", "--against", "main")) == []
    edit(fleet, "images/family-vision-cu121/Dockerfile", "FROM", "# other\nFROM")
    result = images(fleet, "matrix", "--env", "production", "--against", "main", "-o", "github")
    lines = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert [leg["images"] for leg in json.loads(lines["wave0"])["include"]] == ["family-vision-cu121"]
    assert (lines["any"], lines["any0"], lines["any1"]) == ("true", "true", "false")


def test_an_image_that_cannot_be_built_is_no_leg_and_an_error(fleet: Path) -> None:
    shutil.rmtree(fleet / "images/family-web")
    result = images(fleet, "matrix", "--env", "production")
    assert result.exit_code == 1
    assert "family-web" not in result.stdout
    assert (
        "error: family-web: the folder images/family-web is empty or not there\nhelp: commit its files, or correct `context`"
        in result.stderr
    )


def test_the_plan_of_a_pull_request_names_reasons(fleet: Path) -> None:
    result = images(fleet, "plan", "--env", "production", "-o", "markdown")
    assert result.exit_code == 0
    assert "| :hammer: | `family-web` | `parent base-cpu-pydeps rebuilt` | `base-cpu-pydeps` |" in result.stdout


BUILDS = (
    (("family-web", "--platform", "linux/arm64"), 2, "family-web is not for linux/arm64", "it is for linux/amd64"),
    (("family-web", "--machine", "moon"), 2, "there is no machine moon", "there is mainpc, pc2"),
    (("nothing",), 2, "there is no image nothing that is built", "there is base-cpu-pydeps"),
    (("--secret", "pip"), 2, "'pip' is no ID=FILE", "write it like --secret pip="),
)


@pytest.mark.parametrize(("arguments", "code", "says", "fix"), BUILDS, ids=lambda value: str(value)[:30])
def test_bad_arguments_of_a_build_are_refused(fleet: Path, arguments: tuple[str, ...], code: int, says: str, fix: str) -> None:
    result = images(fleet, "build", *arguments, "--env", "production")
    assert result.exit_code == code
    assert f"error: {says}" in result.stderr
    assert f"help: {fix}" in result.stderr


def test_a_machine_whose_driver_is_too_old_is_refused(fleet: Path) -> None:
    edit(
        fleet,
        "fleet.yaml",
        "    pc2: {memory: 32Gi",
        "    old: {memory: 8Gi, gpu: {model: x, memory: 8Gi, driver: 525.60.13}}\n    pc2: {memory: 32Gi",
    )
    result = images(fleet, "build", "family-vision-cu121", "--machine", "mainpc", "--machine", "old", "--env", "production")
    assert result.exit_code == 1
    assert "family-vision-cu121 has CUDA 12.1 inside, which needs a driver from 530.30.02 on, and old has 525.60.13" in result.stderr


def test_an_image_that_is_declared_with_an_error_is_not_called_unknown(fleet: Path) -> None:
    edit(fleet, "fleet.yaml", "memory: 12Gi, driver: 535.183.01", "memory: 12Gi, driver: 525.60.13")
    result = images(fleet, "build", "family-vision-cu121", "--env", "production")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: specs/images/family-vision-cu121.yaml:")
    assert "525.60.13" in result.stderr


def test_cuda_on_a_machine_without_a_gpu_is_refused(fleet: Path) -> None:
    edit(fleet, "fleet.yaml", "    pc2: {memory: 32Gi", "    bare: {memory: 8Gi}\n    pc2: {memory: 32Gi")
    result = images(fleet, "build", "base-gpu-cu121", "--machine", "bare", "--env", "production")
    assert result.exit_code == 1
    assert "base-gpu-cu121 has CUDA 12.1 inside, and bare has no GPU" in result.stderr


def test_an_audit_of_what_was_never_built_says_how_to_get_it(fleet: Path, tmp_path: Path) -> None:
    result = images(fleet, "audit", "family-web", "--env", "production")
    assert result.exit_code == 1
    assert "error: fleet.lock has no build of family-web\nhelp: fleet images build family-web, or --layout DIR" in result.stderr
    result = images(fleet, "audit", "family-web", "--layout", str(tmp_path))
    assert (result.exit_code, "is no OCI layout folder" in result.stderr) == (2, True)
    assert images(fleet, "audit", "family-web", "--platform", "linux/arm64").exit_code == 2
    assert images(fleet, "audit", "nothing").exit_code == 2


def test_a_refresh_of_an_unknown_image_is_refused(fleet: Path) -> None:
    result = images(fleet, "refresh", "nothing")
    assert result.exit_code == 2
    assert "there is no image nothing that is built" in result.stderr


def test_a_refresh_of_inner_images_asks_nobody_and_shows_or_writes_one_line(fleet: Path) -> None:
    spec = fleet / "specs/images/family-web.yaml"
    before = spec.read_text()
    shown = images(fleet, "refresh", "family-web")
    assert shown.stdout.splitlines() == [
        "family-web: epoch 0 -> 1  (specs/images/family-web.yaml)",
        "",
        "1 of 13 images are rebuilt by it: family-web",
        "Nothing is written; --write does.",
    ]
    assert spec.read_text() == before
    assert images(fleet, "refresh", "family-web", "--write").exit_code == 0
    assert spec.read_text() == before + "  epoch: 1\n"
    assert json.loads(images(fleet, "refresh", "family-web", "-o", "json").stdout)["raises"][0] == {
        "image": "family-web",
        "path": "specs/images/family-web.yaml",
        "before": 1,
        "after": 2,
    }
    assert not (fleet / ".fleet").exists()


def test_help_of_each_has_an_example() -> None:
    for name in ("plan", "build", "lock", "matrix", "refresh", "audit"):
        result = CliRunner().invoke(command, [name, "--help"])
        assert result.exit_code == 0
        assert "Example" in result.stdout
