"""What workflows call is there: every `fleet` command in them is parsed as `fleet` parses it, flags and choices included."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.core.matrix import Leg, matrix
from tests.commands import parsed

GITHUB = Path(__file__).resolve().parents[2] / ".github"
FILES = sorted([*GITHUB.glob("workflows/*.yml"), *GITHUB.glob("actions/*/action.yml")])
(ROW,) = matrix([Leg(("family-web", "family-vision-cu121"), "linux/amd64", ("mainpc", "pc2"))])["include"]
VALUES: dict[str, list[list[str]]] = {
    "ENVIRONMENT": [["production"]],
    "environment": [["production"]],
    "PLATFORM": [[ROW["platform"]]],
    "PUSH": [["--push"], ["--no-push"]],
    "images[@]": [ROW["images"].split()],
    "options[@]": [[], [word for machine in ROW["machines"].split() for word in ("--machine", machine)]],
}
"""What variables of the scripts may stand for; each is tried."""
_CALL = re.compile(r"(?:^[ \t]*|[;&|(]\s*|\bthen\s+|\bdo\s+)(?:\S*/)?fleet\s+(?P<words>[a-z][^|;&\n]*)", re.MULTILINE)


def scripts() -> Iterator[tuple[str, str]]:
    """Every script of a workflow or an action, and the files that they run."""
    for path in FILES:
        yield from (
            (path.stem if path.parent.name == "workflows" else path.parent.name, run) for run in runs(yaml.safe_load(path.read_text()))
        )
    for path in sorted(GITHUB.glob("*.sh")):
        yield path.name, path.read_text()


def runs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (one for key, one in value.items() if key == "run")
        yield from (one for inner in value.values() for one in runs(inner))
    elif isinstance(value, list):
        yield from (one for inner in value for one in runs(inner))


def calls(script: str) -> Iterator[str]:
    """Its calls of `fleet`, without what their output goes to."""
    plain = re.sub(r'"\$\([^"]*"[^"]*"[^"]*"|"\$\([^"]*\)[^"]*"', "REV", script.replace("\\\n", " "))
    for found in _CALL.finditer("\n".join(line for line in plain.splitlines() if not line.lstrip().startswith("#"))):
        yield re.sub(r"\d?>.*", "", found["words"]).strip()


def filled(call: str) -> Iterator[list[str]]:
    """Command lines that a call may become."""
    words = shlex.split(call)
    choices = [VALUES[found[1]] if (found := re.fullmatch(r"\$\{?([\w\[\]@]+)\}?", word)) else [[word]] for word in words]
    yield from (list(itertools.chain.from_iterable(chosen)) for chosen in itertools.product(*choices))


ALL = sorted({(name, shlex.join(words)) for name, script in scripts() for call in calls(script) for words in filled(call)})


@pytest.mark.parametrize(("workflow", "line"), ALL, ids=lambda value: value)
def test_every_command_of_a_workflow_is_understood(workflow: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parsed(shlex.split(line)).get_help(), workflow


def test_no_call_is_overlooked() -> None:
    found = {name: [call.split()[:2] for call in calls(script)] for name, script in scripts() if "fleet images" in script}
    assert {name: [" ".join(words) for words in calls] for name, calls in found.items()}.keys() >= {"images", "image-wave", "refresh"}
    written = sum(len(re.findall(r"\bfleet (?:images|sbom|plan|lint|schema) ", re.sub(r"#.*", "", script))) for _, script in scripts())
    assert sum(1 for _, script in scripts() for _ in calls(script)) >= written > 5


def test_a_leg_gives_what_its_script_reads() -> None:
    steps = yaml.safe_load((GITHUB / "workflows/image-wave.yml").read_text())["jobs"]["image"]["steps"]
    (build,) = (step for step in steps if "fleet images build" in step.get("run", ""))
    assert {"IMAGES": "${{ matrix.images }}", "MACHINES": "${{ matrix.machines }}", "PLATFORM": "${{ matrix.platform }}"}.items() <= build[
        "env"
    ].items()
    assert 'options+=(--machine "$machine")' in build["run"]
    assert build["env"]["PUSH"] == "${{ inputs.push && '--push' || '--no-push' }}"


def test_what_a_refresh_writes_is_what_its_pull_request_has() -> None:
    (script,) = (script for name, script in scripts() if name == "refresh" and "images refresh" in script)
    assert "--write" in script
    assert re.search(r"git diff --binary -- (.*) >", script)[1].split() == ["specs", "images", "fleet.lock"]  # type: ignore[index]


def test_the_job_that_writes_the_lock_may_write_verdicts() -> None:
    job = yaml.safe_load((GITHUB / "workflows/images.yml").read_text())["jobs"]["lock"]
    assert job["permissions"] == {"contents": "read", "packages": "write"}
    assert "secrets." not in str(job)
