"""Bad input to the reference fleet, as the command tells it: place, code, a fix, exit code 1, and nothing written anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.shell.fleet_commands import ROOT, fleet
from tests.story.desk import DECLARED

HERE = "specs/services/agents/executor.yaml"
CASES = yaml.safe_load(Path(__file__).with_name("bad_input.yaml").read_text())
LOCK = f"""\
lockVersion: 1
images:
  family-web:
    current: "sha256:{"a" * 64}"
    builds:
      "sha256:{"a" * 64}": {{tag: 20261121-9f3c2ab, key: "sha256:{"0" * 64}", built: 2026-11-21}}
"""


class Said(NamedTuple):
    """A finding as it was told."""

    code: str
    at: str
    fix: str
    severity: str


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The reference fleet; its cluster is nowhere."""
    root = tmp_path / "fleet"
    root.mkdir()
    for name in DECLARED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def usual() -> frozenset[Said]:
    """What is said of the reference fleet as it is."""
    return frozenset(findings(ROOT))


def findings(root: Path) -> list[Said]:
    done = fleet("lint", "--env", "trial", "-o", "json", "--repo", root)
    said = [
        one | {"at": ":".join(str(one[part]) for part in ("file", "line", "column") if one.get(part))}
        for one in json.loads(done.stdout)["findings"]
    ]
    return [Said(one["code"], one["at"], one.get("fix", ""), one["severity"]) for one in said]


def spoil(root: Path, case: dict[str, Any]) -> str:
    """Writes what the case is about; its file."""
    path = case.get("in", HERE)
    file = root / path
    if case.get("lock"):
        (root / ".fleet").mkdir()
        (root / ".fleet" / "trial.lock").write_text(LOCK)
    for name, pair in {path: case.get("swap"), **case.get("also", {})}.items():
        if pair:
            text = (root / name).read_text()
            assert pair[0] in text
            (root / name).write_text(text.replace(pair[0], str(content(pair[1])), 1))
    if "link" in case:
        file.unlink(missing_ok=True)
        file.symlink_to(case["link"])
    elif "give" in case and case["give"] is None:
        shutil.rmtree(file)
    elif "give" in case:
        file.parent.mkdir(parents=True, exist_ok=True)
        given = content(case["give"])
        file.write_bytes(given if isinstance(given, bytes) else given.encode())
    return str(path)


def content(given: Any) -> Any:
    return given.get("begin", "") + given["repeat"] * given["times"] + given.get("end", "") if isinstance(given, dict) else given


def wanted(case: dict[str, Any], path: str) -> list[tuple[str, str, str]]:
    """Code, place and part of the fix of each finding."""
    found = []
    for line in case["found"]:
        code, place, fix = line.split(" ", 2)
        found.append((code, f"{path}:{place}" if place[0].isdigit() else place, fix))
    return found


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_bad_input_is_told_with_place_code_and_fix(case: dict[str, Any], repo: Path, usual: frozenset[Said]) -> None:
    path = spoil(repo, case)
    before = everything(repo)
    found = [one for one in findings(repo) if one not in usual and (one.severity == "error" or case.get("warns"))]
    for code, at, fix in (expected := wanted(case, path)):
        assert any(one.code == code and one.at == at and fix in one.fix for one in found), found
    assert sorted((one.code, one.at) for one in found) == sorted((code, at) for code, at, _ in expected)
    text = fleet("lint", "--env", "trial", "--repo", repo)
    assert text.exit_code == (0 if case.get("warns") else 1)
    assert case.get("says", "") in text.stdout
    assert "\x1b" not in text.stdout
    assert "hides" not in case or case["hides"] not in text.stdout
    if not case.get("warns"):
        refused = fleet("apply", "--yes", "--repo", repo)
        assert refused.exit_code == 1, refused.output  # 2 would say that it tried to reach the cluster
        assert expected[0][0] in refused.stderr
    assert everything(repo) == before
    assert fleet("explain", expected[0][0]).exit_code == 0


def test_no_broken_spec_hides_another(repo: Path, usual: frozenset[Said]) -> None:
    """A case a file, all at once."""
    told: dict[str, list[tuple[str, str, str]]] = {}
    services = sorted((repo / "specs/services/agents").glob("*.yaml"))
    cases = [case for case in CASES if "in" not in case and "give" not in case and "hides" not in case and not case.get("lock")]
    swaps = [case for case in cases if case["swap"][0] in ("wave: 40", "  wave: 40", "family-web", "{http: 8080}")]
    hosts = [
        path
        for path in services
        if "family-web" in path.read_text() and "wave: 40" in path.read_text() and "{http: 8080}" in path.read_text()
    ]
    assert len(swaps) > len(hosts) > 3
    for path, case in zip(hosts, swaps, strict=False):
        name = str(path.relative_to(repo))
        spoil(repo, {**case, "in": name})
        told[name] = wanted(case, name)
    found = {(one.code, one.at.split(":", 1)[0]) for one in findings(repo) if one not in usual}
    for name, expected in told.items():
        assert {(code, name) for code, _, _ in expected} <= found
