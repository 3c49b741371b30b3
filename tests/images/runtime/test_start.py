"""How a service starts, through the entry point as the images have it."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.images.runtime.centre import Centre
from tests.images.runtime.conftest import RUNTIME

Begin = Callable[..., Centre]
FILES = [RUNTIME / "entrypoint", *sorted(RUNTIME.glob("fleet_runtime/*.py"))]


@pytest.fixture
def entrypoint(tmp_path: Path) -> list[str]:
    """The entry point with this machine's Python and the repository's folder instead of the image's."""
    text = (RUNTIME / "entrypoint").read_text()
    assert text.startswith("#!/opt/venv/bin/python3 -IS\n")
    moved = tmp_path / "entrypoint"
    moved.write_text(text.replace('"/opt/fleet/runtime"', repr(str(RUNTIME))))
    return [sys.executable, "-IS", str(moved)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    sbom = tmp_path / "sbom.json"
    sbom.write_text('{"components": []}')
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(RUNTIME),
        "FLEETWRIGHT_SERVICE": "agents/x",
        "FLEETWRIGHT_SPOOL": str(tmp_path / "spool"),
        "FLEETWRIGHT_SBOM": str(sbom),
        "SECRET": "hunter2",
    }


def start(entrypoint: list[str], environment: dict[str, str], *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*entrypoint, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(service: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed, once it has ended and the reporter, which sees that, has let go of its output too."""
    service.wait(timeout=30)
    return service.communicate(timeout=30)


def test_the_service_takes_the_place_of_the_entry_point(entrypoint: list[str], environment: dict[str, str]):
    service = start(entrypoint, environment, "sh", "-c", "echo $$")
    out, _ = end(service)
    assert out.strip() == str(service.pid)


@pytest.mark.parametrize("code", [0, 3, 255])
def test_its_exit_code_is_kept(entrypoint: list[str], environment: dict[str, str], code: int):
    service = start(entrypoint, environment, "sh", "-c", f"exit {code}")
    end(service)
    assert service.returncode == code


@pytest.mark.parametrize(("command", "code"), [("/nowhere/service", 127), ("/etc/passwd", 126), ("/tmp", 126)])
def test_what_cannot_be_started_says_so(entrypoint: list[str], environment: dict[str, str], command: str, code: int):
    service = start(entrypoint, environment, command)
    _, err = end(service)
    assert service.returncode == code
    assert f"{command} cannot be started" in err


def test_the_signal_to_stop_reaches_the_service(entrypoint: list[str], environment: dict[str, str], centre: Begin):
    here = centre([503])
    script = "trap 'echo stopped; exit 7' TERM; echo ready; while true; do sleep 0.05; done"
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": here.url}, "sh", "-c", script)
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    assert here.came.acquire(timeout=30)
    service.send_signal(signal.SIGTERM)
    assert end(service)[0] == "stopped\n"
    assert service.returncode == 7


def test_the_report_arrives_beside_the_service(entrypoint: list[str], environment: dict[str, str], centre: Begin):
    here = centre([500, 202])
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": here.url, "GIT_SHA": "9f3c2ab"}, "sleep", "60")
    for _ in range(2):
        assert here.came.acquire(timeout=30)
    service.kill()
    _, err = end(service)
    told = here.reports[1]
    assert (told["service"], told["git_sha"], told["pid"], told["sbom"]["components"]) == ("agents/x", "9f3c2ab", service.pid, 0)
    assert "hunter2" not in json.dumps(here.reports)
    assert "the start-up report is with 127.0.0.1" in err


def test_a_centre_that_hangs_does_not_hold_up_the_service(entrypoint: list[str], environment: dict[str, str], centre: Begin):
    here = centre()
    here.hold.clear()
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": here.url}, "cat", "/proc/self/stat")
    assert service.wait(timeout=30) == 0
    here.hold.set()
    end(service)


def test_the_service_has_no_child_that_it_does_not_know(entrypoint: list[str], environment: dict[str, str], centre: Begin):
    here = centre([503])
    script = "import os\ntry:\n    print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError:\n    print('none')"
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": here.url}, sys.executable, "-c", script)
    assert service.stdout is not None
    assert service.stdout.readline() == "none\n"
    end(service)


def test_a_service_that_ends_at_once_leaves_its_report_on_disk(
    entrypoint: list[str], environment: dict[str, str], centre: Begin, tmp_path: Path
):
    here = centre([503])
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": here.url}, "sh", "-c", "sleep 1; exit 9")
    assert here.came.acquire(timeout=30)
    end(service)
    assert service.returncode == 9
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1


@pytest.mark.parametrize("url", ["", "centre", "file:///etc/passwd", "ftp://centre/"])
def test_without_an_address_nothing_is_reported(entrypoint: list[str], environment: dict[str, str], url: str, tmp_path: Path):
    service = start(entrypoint, {**environment, "FLEETWRIGHT_REPORT_URL": url}, "true")
    _, err = end(service)
    assert (service.returncode, err) == (0, "")
    assert not (tmp_path / "spool").exists()


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get(port: int, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", body, method=method), timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except HTTPError as answer:
        with answer:
            return answer.code, json.loads(answer.read())


def test_without_a_command_an_honest_placeholder_runs(entrypoint: list[str], environment: dict[str, str]):
    port = free_port()
    service = start(entrypoint, {**environment, "PORT": str(port)})
    assert service.stderr is not None
    assert "no application is in this container" in service.stderr.readline()
    status, told = get(port, "/healthz?verbose")
    assert (status, told["status"], told["placeholder"], told["service"]) == (200, "ok", True, "agents/x")
    assert get(port, "/healthz", "HEAD") == (200, {})
    assert get(port, "/v1/other")[0] == 404
    status, told = get(port, "/v1/startups", "POST", b"x" * 200_000)
    assert (status, told["placeholder"]) == (501, True)
    asked = [sys.executable, "-m", "fleet_runtime", "healthy"]
    assert subprocess.run(asked, env={**environment, "PORT": str(port)}, check=False).returncode == 0
    service.send_signal(signal.SIGTERM)
    end(service)
    assert service.returncode == 0
    gone = subprocess.run(asked, env={**environment, "PORT": str(port)}, check=False, capture_output=True)
    assert gone.returncode == 1


def test_a_port_that_is_taken_is_said(environment: dict[str, str], centre: Begin):
    port = centre().port
    asked = [sys.executable, "-m", "fleet_runtime", "placeholder"]
    done = subprocess.run(asked, env={**environment, "PORT": str(port)}, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stderr


def test_a_command_that_there_is_not_is_named(environment: dict[str, str]):
    asked = [sys.executable, "-m", "fleet_runtime", "run", "x"]
    done = subprocess.run(asked, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "placeholder and healthy" in done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_needs_python_310_and_its_library_alone(file: Path):
    tree = ast.parse(file.read_text(), feature_version=(3, 10))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.partition(".")[0] in {*sys.stdlib_module_names, "fleet_runtime"}


def test_is_small():
    assert sum(len(file.read_text().splitlines()) for file in FILES) < 300


def test_the_entry_point_can_be_run():
    assert os.access(RUNTIME / "entrypoint", os.X_OK)
