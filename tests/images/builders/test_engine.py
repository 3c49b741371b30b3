"""The builder by Dagger when things go wrong, against a double of the session protocol: what it says, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.engine import Credential, DaggerBuilder, inert_cache, probe, session
from pipelines.adapters.engine.address import CLI, RUNNER, Port, Socket, Tool, Unknown, address
from pipelines.ports import BuilderMissing, BuildFailed, Order, Secret
from tests.images.builders import session_double
from tests.images.builders.test_contract import running

SETTINGS = bytes(3) + b"\x04\x00" + bytes(4)
ROOT = Path(__file__).parents[3]


@dataclass
class Doubled:
    """A builder whose CLI is the double, and whose engine is a socket that greets as engines do."""

    folder: Path
    engine: asyncio.Server

    def builder(self, credentials: dict[str, Credential] | None = None, **behaviour: Any) -> DaggerBuilder:
        behaviour["notes"] = str(self.folder / "notes")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DAGGER")},
            RUNNER: f"unix://{self.folder}/engine.sock",
            CLI: str(self.folder / "dagger"),
            session_double.BEHAVIOUR: json.dumps(behaviour),
        }
        return DaggerBuilder(environment, credentials)

    def order(self, dockerfile: str = "FROM scratch\nRUN true\n", **more: Any) -> Order:
        (self.folder / "context").mkdir(exist_ok=True)
        return Order("thing", self.folder / "context", dockerfile, None, "linux/amd64", **more)

    @property
    def started(self) -> int:
        """How many times the CLI was started."""
        file = self.folder / "starts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    @property
    def left(self) -> bool:
        """Whether a CLI of this test still runs."""
        return running(str(self.folder / "dagger"))

    def notes(self) -> list[tuple[str, dict[str, Any]]]:
        return [tuple(json.loads(line)) for line in (self.folder / "notes").read_text().splitlines()]


@pytest.fixture
async def doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doubled]:
    cli = tmp_path / "dagger"
    cli.write_text(
        f'#!/bin/sh\necho started >> {tmp_path}/starts\ncd {ROOT}\nexec {sys.executable} -m {session_double.__name__} "$@" {cli}\n'
    )
    cli.chmod(0o755)
    for name, value in {"WATCH": 0.1, "HURRY": 0.3, "GOODBYE": 0.5}.items():
        monkeypatch.setattr(session, name, value)
    monkeypatch.setattr(probe, "PATIENCE", 0.5)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        await writer.drain()
        writer.close()

    engine = await asyncio.start_unix_server(greet, tmp_path / "engine.sock")
    yield Doubled(tmp_path, engine)
    engine.close()


@pytest.fixture
async def into(tmp_path: Path) -> Path:
    made = tmp_path / "into"
    made.mkdir()
    return made


# ------------------------------------------------------------------ a build that goes well


async def test_what_the_engine_exports_becomes_whiteouts_and_a_layer_and_settings(doubled: Doubled, into: Path):
    builder = doubled.builder()
    made = await builder.build(doubled.order(), into, print)
    await builder.close()
    with tarfile.open(Path(made.changes)) as tar:
        assert [one.name for one in tar] == ["etc/.wh.gone", ".wh.var", "made"]
    assert made.run == {"Env": ["A=1"], "User": "some"}
    assert [path.name for path in into.iterdir()] == ["changes.tar"]


async def test_a_run_has_one_session_for_builds_one_after_the_other(doubled: Doubled, into: Path):
    builder = doubled.builder()
    for _ in range(3):
        await builder.build(doubled.order(), into, print)
    assert doubled.started == 1
    await builder.close()
    assert not doubled.left


async def test_credentials_go_to_the_engine_as_secrets_before_the_first_build(doubled: Doubled, into: Path):
    builder = doubled.builder({"registry.example": Credential("robot", "hunter2")})
    await builder.build(doubled.order(), into, print)
    await builder.close()
    notes = doubled.notes()
    names = [name for name, _ in notes]
    assert names.index("withRegistryAuth") < names.index("dockerBuild")
    assert dict(notes)["withRegistryAuth"]["address"] == "registry.example"
    assert [name for name, given in notes if "hunter2" in json.dumps(given)] == ["setSecret"]


# ------------------------------------------------------------------ builds that fail


async def test_a_failed_step_is_found_in_the_dockerfile(doubled: Doubled, into: Path):
    facts = {"cmd": ["/bin/sh", "-c", "make   all"], "exitCode": 2, "stdout": "compiling\n", "stderr": "a\nno rule to make target\n"}
    builder = doubled.builder(build={"exec": facts})
    with pytest.raises(BuildFailed) as failed:
        await builder.build(doubled.order("FROM scratch\nRUN true\nRUN --mount=type=cache,target=/c make \\\n  all\n"), into, print)
    assert str(failed.value) == "thing: Dockerfile:3 RUN make all ended with exit code 2: no rule to make target"
    assert failed.value.log == "a\nno rule to make target"
    assert not isinstance(failed.value, BuilderMissing)
    assert not doubled.left


async def test_a_fault_names_the_line_that_was_written_and_no_object_of_the_engine(doubled: Doubled, into: Path):
    words = f"failed to convert Dockerfile to LLB: load Container@{'A' * 80}=: load xxh3:00ff: inputs: dockerfile parse error on line 4: unknown"
    builder = doubled.builder(build={"error": words})
    with pytest.raises(BuildFailed) as failed:
        await builder.build(doubled.order("FROM scratch\nRUN true\nRUNN true\n"), into, print)
    assert str(failed.value) == "thing: dockerfile parse error on line 3: unknown"


async def test_a_removed_file_whose_name_is_lost_on_the_way_fails_the_build(doubled: Doubled, into: Path):
    builder = doubled.builder(removed=["etc/caf\ufffd"])
    with pytest.raises(BuildFailed, match="not UTF-8"):
        await builder.build(doubled.order(), into, print)
    assert not [path for path in into.iterdir() if path.name != "changes.tar"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
async def test_a_secret_that_cannot_be_read_fails_the_build(doubled: Doubled, into: Path, content: bytes | None):
    file = doubled.folder / "secret"
    if content:
        file.write_bytes(content)
    builder = doubled.builder()
    with pytest.raises(BuildFailed, match="secret"):
        await builder.build(doubled.order(secrets=(Secret("token", file),)), into, print)
    assert not doubled.left


# ------------------------------------------------------------------ the engine, or the CLI, goes away


async def test_cancelling_leaves_no_process_and_no_file(doubled: Doubled, into: Path):
    builder = doubled.builder(build="hang", close="hang")
    begun = asyncio.Event()
    task = asyncio.create_task(builder.build(doubled.order(), into, lambda line: begun.set() if line == "a step begins" else None))
    await begun.wait()
    assert doubled.left
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not doubled.left
    assert list(into.iterdir()) == []


async def test_an_engine_that_goes_away_in_the_middle_is_missing(doubled: Doubled, into: Path):
    builder = doubled.builder(build="hang")

    def gone(line: str) -> None:
        if line == "a step begins":
            doubled.engine.close()
            (doubled.folder / "engine.sock").unlink(missing_ok=True)

    with pytest.raises(BuilderMissing, match=r"engine\.sock"):
        await builder.build(doubled.order(), into, gone)
    assert not doubled.left


@pytest.mark.parametrize("how", ["exit", "drop"])
async def test_a_session_that_breaks_in_the_middle_is_missing_and_the_next_build_has_a_new_one(doubled: Doubled, into: Path, how: str):
    builder = doubled.builder(build=how)
    for attempt in (1, 2):
        with pytest.raises(BuilderMissing, match="in the middle of a build"):
            await builder.build(doubled.order(), into, print)
        assert doubled.started == attempt
        assert not doubled.left


async def test_a_session_that_does_not_end_is_ended(doubled: Doubled, into: Path):
    builder = doubled.builder(close="hang")
    await builder.build(doubled.order(), into, print)
    assert doubled.left
    await builder.close()
    assert not doubled.left


# ------------------------------------------------------------------ no engine to begin with


@pytest.mark.parametrize(
    ("how", "says"), [("exit", "the double has no session today"), ("garbage", "hello"), ("silent", "does not start a session")]
)
async def test_a_cli_without_a_session_is_missing(doubled: Doubled, into: Path, monkeypatch: pytest.MonkeyPatch, how: str, says: str):
    if how == "silent":
        monkeypatch.setattr(session, "START", 1.0)
    builder = doubled.builder(start=how)
    with pytest.raises(BuilderMissing, match=says):
        await builder.build(doubled.order(), into, print)
    assert not doubled.left


async def test_cancelling_while_a_session_starts_leaves_no_process(doubled: Doubled, into: Path):
    builder = doubled.builder(start="silent")
    task = asyncio.create_task(builder.build(doubled.order(), into, print))
    while not doubled.left:
        await asyncio.sleep(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not doubled.left


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("unix:///nowhere/engine.sock", "No such file"),
        ("tcp://127.0.0.1:1", "Connect call failed"),
        ("tcp://127.0.0.1", "needs a host and a port"),
        ("carrier-pigeon://loft", "no engine is reached by carrier-pigeon://"),
        ("/run/engine.sock", "has no scheme"),
        ("container+nerdctl://engine", "there is no nerdctl here"),
        ("", "there is no docker, container, podman, finch, nerdctl here"),
    ],
)
async def test_without_an_engine_the_reason_and_a_way_out_are_said_and_no_cli_starts(doubled: Doubled, into: Path, host: str, says: str):
    builder = DaggerBuilder({RUNNER: host, CLI: str(doubled.folder / "dagger"), "PATH": str(doubled.folder)})
    with pytest.raises(BuilderMissing) as missing:
        await builder.build(doubled.order(), into, print)
    assert says in str(missing.value)
    assert RUNNER in missing.value.fix
    assert doubled.started == 0


@pytest.mark.parametrize(
    ("answer", "says"), [(None, "does not answer"), (b"", "it hangs up"), (b"HTTP/1.1 400 Bad Request\r\n", "does not speak HTTP/2")]
)
async def test_what_listens_and_is_no_engine_is_found_out(doubled: Doubled, answer: bytes | None, says: str):
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        with pytest.raises(BuilderMissing, match=says):
            await probe.probe(Port("127.0.0.1", server.sockets[0].getsockname()[1], tls=False), {})


@pytest.mark.parametrize(("code", "there"), [(0, True), (1, False)])
async def test_a_tool_is_there_when_it_does_what_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, there: bool):
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho the daemon sleeps >&2\nexit {code}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    where = address({RUNNER: "docker-image://engine"})
    with contextlib.nullcontext() if there else pytest.raises(BuilderMissing, match="the daemon sleeps"):
        await probe.probe(where, {"PATH": str(tmp_path)})


# ------------------------------------------------------------------ what is decided without asking anyone


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("unix:///run/dagger/engine.sock", Socket("/run/dagger/engine.sock")),
        ("tcp://[::1]:1234", Port("::1", 1234, tls=False)),
        ("tls://engine.example:443", Port("engine.example", 443, tls=True)),
        ("container+podman://it", Tool((("podman", "container", "inspect", "it"),))),
        ("image+podman://registry.example/engine:v1", Tool((("podman", "version"),), starts=True)),
        ("container+apple://it?cleanup=true", Tool((("container", "inspect", "it"),))),
        ("kube-pod://it?namespace=ci", Tool((("kubectl", "get", "pod", "it", "--request-timeout=3s", "--namespace=ci"),))),
        (
            "ssh://me@host.example:22",
            Tool((("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-p", "22", "me@host.example", "true"),)),
        ),
    ],
)
def test_an_address_is_read_as_the_cli_reads_it(host: str, where: object):
    assert address({RUNNER: host}) == where


def test_an_address_that_is_none_says_why():
    assert isinstance(address({RUNNER: "tcp://host:99999"}), Unknown)
    assert isinstance(address({RUNNER: "ssh://"}), Unknown)


def test_a_registry_cache_is_warned_about_where_the_engine_has_none():
    asked = {"_EXPERIMENTAL_DAGGER_CACHE_CONFIG": "type=registry,ref=ghcr.io/acme/cache"}
    warning = inert_cache(asked, "v0.21.8")
    assert warning
    assert "_EXPERIMENTAL_DAGGER_CACHE_CONFIG does nothing with Dagger v0.21.8" in warning
    assert inert_cache(asked, "v1.0.0") is not None
    assert inert_cache(asked, "v0.20.8") is None
    assert inert_cache({}) is None


def test_dagger_is_not_imported_before_a_session_starts():
    code = "import sys, pipelines.adapters.engine; sys.exit('dagger' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
