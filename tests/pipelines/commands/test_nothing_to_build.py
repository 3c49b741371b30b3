"""Where there is nothing to build, that is remembered; and whatever changes is seen all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.manifest import encode
from pipelines.core.tally import digest_of
from pipelines.flow.build.together import Together
from pipelines.model.as_locked import AsLocked
from pipelines.model.decision import Current
from pipelines.model.oci import CONFIG, MANIFEST, Descriptor, ImageManifest, Repository
from pipelines.ports import Denied
from pipelines.shell import equipment, recall
from pipelines.shell.matter import matter
from pipelines.shell.recall import Recall
from reconciler.core.locking import write_lock
from reconciler.model.lock import Build, Builds, Lock, ResolvedBase
from reconciler.shell.opened import open_source
from tests.pipelines.build.hierarchy import BASE
from tests.pipelines.commands.scene import Scene
from tests.shell.fleet_commands import ROOT

DAY = date(2026, 11, 20)
NAMES = ("base", "middle", "top", "side", "platform-own")
AFTER = "from pipelines.main import main\ntry:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code\nimport sys\n"


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_BLOBS", str(tmp_path / "blobs"))
    return tmp_path / "blobs"


@pytest.fixture
def sound(scene: Scene, blobs: Path) -> Scene:
    """Dockerfiles in which there is nothing wrong, and nothing remembered."""
    assert not blobs.exists()
    for file in scene.root.glob("images/*/Dockerfile"):
        file.write_text(f"{file.read_text()}USER 10001:10001\n")
    scene.write(".gitignore", "/.fleet/\n*.ignored\n")
    scene.commit("sound")
    return scene


@pytest.fixture
def rest(sound: Scene) -> Scene:
    """All images are as the lock has them, the registry has them, and it is remembered."""
    rested(sound)
    assert is_known(sound)
    return sound


def rested(scene: Scene, path: str = "fleet.lock") -> None:
    """Write a lock in which everything is current, parents first; and look at it, so that it is remembered."""
    lock = Lock(bases={BASE: ResolvedBase(f"sha256:{'a' * 64}", DAY)})
    for _ in range(5):
        scene.write(path, write_lock(lock))
        found = matter(scene.root, None).decided(told=False)
        for one in found:
            if one.key:
                build = Build(pushed(scene, one.target.name), f"{DAY:%Y%m%d}-{'1' * 7}", one.key, DAY)
                lock = replace(lock, images={**lock.images, one.target.name: Builds(build, (build,))})
    assert all(isinstance(one.decision, Current) for one in matter(scene.root, None).decided())
    assert not scene.images("plan", "-o", "json").exit_code


def pushed(scene: Scene, name: str) -> str:
    config = Descriptor(CONFIG, digest_of(name.encode()), len(name))
    document = encode(ImageManifest(config, ()))
    scene.shelf(name).manifests[document.digest] = document
    return document.digest


def known(scene: Scene, command: str = "plan", env: str | None = None, names: tuple[str, ...] = ()) -> AsLocked | None:
    return Recall(open_source(scene.root), command, env, names).found()


def is_known(scene: Scene) -> bool:
    return known(scene) is not None


def plan(scene: Scene, **environ: str) -> str:
    return scene.images("plan", **environ).output


def edited(path: str, old: str, new: str) -> Callable[[Scene], None]:
    def edit(scene: Scene) -> None:
        text = (scene.root / path).read_text()
        assert old in text
        scene.write(path, text.replace(old, new))

    return edit


def written(path: str, text: str) -> Callable[[Scene], None]:
    return lambda scene: scene.write(path, text)


def linked(path: str, to: str) -> Callable[[Scene], None]:
    return lambda scene: (scene.root / path).symlink_to(to)


def relocked(change: Callable[[Build], Build]) -> Callable[[Scene], None]:
    def write(scene: Scene) -> None:
        lock = scene.lock()
        build = change(lock.images["side"].current)
        scene.write("fleet.lock", write_lock(replace(lock, images={**lock.images, "side": Builds(build, (build,))})))

    return write


DUE = {
    "a file of a context": written("images/middle/a", "b\n"),
    "a file more": written("images/middle/more", ""),
    "a file less": lambda scene: (scene.root / "images/middle/a").unlink(),
    "a file with another name": lambda scene: (scene.root / "images/middle/a").rename(scene.root / "images/middle/b"),
    "an executable bit": lambda scene: (scene.root / "images/middle/a").chmod(0o755),
    "a symbolic link": linked("images/middle/link", "a"),
    "a shared folder": written("images/runtime/entry", "#!/bin/bash\n"),
    "a Dockerfile": edited("images/top/Dockerfile", "/b", "/c"),
    "an ignore file of Docker": written("images/middle/.dockerignore", "a\n"),
    "a rule of git that ignored": lambda scene: (scene.write("images/side/x.ignored", "x"), scene.write(".gitignore", "/.fleet/\n")),
    "arguments": edited("specs/images/side.yaml", "left", "right"),
    "the epoch": edited("specs/images/side.yaml", "  args:", "  epoch: 1\n  args:"),
    "platforms": edited("specs/images/side.yaml", "  args:", "  platforms: [linux/arm64]\n  args:"),
    "the platforms of the builder": edited("fleet.yaml", "  waves:", "  builder: {platforms: [linux/arm64]}\n  waves:"),
    "where it starts from": edited("specs/images/side.yaml", "base}", "middle}"),
    "what a service builds": written("images/own/c", "d\n"),
    "a stand-in for a base": edited(
        "fleet.yaml", "      unlocked", f"      bases: {{'{BASE}': {{registry: other.example/b:1}}}}\n      unlocked"
    ),
    "an image more": lambda scene: (
        scene.write("images/new/Dockerfile", "FROM base\n"),
        scene.write(
            "specs/images/new.yaml", (scene.root / "specs/images/top.yaml").read_text().replace("top", "new").replace("middle", "base")
        ),
    ),
    "no lock": lambda scene: (scene.root / "fleet.lock").unlink(),
    "a key in the lock": relocked(lambda build: replace(build, key="sha256:" + "0" * 63 + "1")),
    "an entry by hand": relocked(lambda build: replace(build, key="")),
}
"""What makes something be built."""
ELSE = {
    "a digest in the lock": relocked(lambda build: replace(build, digest=f"sha256:{'b' * 64}")),
    "a mark in the lock": relocked(lambda build: replace(build, bad=True)),
    "a base in the lock": lambda scene: scene.write(
        "fleet.lock",
        write_lock(replace(scene.lock(), bases={**scene.lock().bases, "x.example/y": ResolvedBase(f"sha256:{'c' * 64}", DAY)})),
    ),
    "a gate": edited("specs/images/side.yaml", "  args:", "  gate: {failOn: [CRITICAL]}\n  args:"),
    "the fleet's gate": edited("fleet.yaml", "  waves:", "  gate: {failOn: [CRITICAL]}\n  waves:"),
    "a smoke command": edited("specs/images/side.yaml", "  args:", "  smoke: ['true']\n  args:"),
    "a policy file": written("policies/vex.json", "{}"),
    "the builder": edited("fleet.yaml", "  waves:", "  builder: {engine: buildah}\n  waves:"),
    "a tenant": edited("specs/tenants/platform.yaml", "active", "suspended"),
    "a file that git does not know yet": written("images/unused/x", "x"),
    "a link for a spec": linked("specs/images/other.yaml", "side.yaml"),
    "the last commit": lambda scene: scene.git("commit", "-q", "--allow-empty", "-m", "more"),
}
"""What may do so, or change what is said: it is looked at anew."""


@pytest.mark.parametrize("change", [*DUE, *ELSE])
def test_what_changes_is_seen(rest: Scene, change: str, tmp_path: Path) -> None:
    ({**DUE, **ELSE})[change](rest)
    assert not is_known(rest)
    said = plan(rest)
    assert said == plan(rest, FLEET_BLOBS=str(tmp_path / "nothing"))
    assert ("to look up or build" in said) == (change in DUE)


def test_what_is_put_back_is_known_again(rest: Scene) -> None:
    before = (rest.root / "images/middle/a").read_text()
    rest.write("images/middle/a", "b\n")
    assert not is_known(rest)
    rest.write("images/middle/a", before)
    assert is_known(rest)


def test_a_change_of_the_same_size_within_one_tick_of_the_clock_is_seen(rest: Scene) -> None:
    file = rest.root / "images/middle/a"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("z\n")
    os.utime(file, ns=times)
    rest.git("update-index", "--assume-unchanged", "images/middle/a")
    assert not is_known(rest)


def test_another_day_command_environment_image_or_code_is_another_question(rest: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_source(rest.root)
    assert Recall(opened, "plan", None, ()).found()
    assert not Recall(replace(opened, today=opened.today + timedelta(days=1)), "plan", None, ()).found()
    assert not Recall(opened, "build", None, ()).found()
    assert not Recall(opened, "plan", "test", ()).found()
    assert not Recall(opened, "plan", None, ("base",)).found()
    monkeypatch.setattr(recall, "code", lambda: "other")
    assert not Recall(opened, "plan", None, ()).found()


def test_a_lock_elsewhere_that_git_ignores_is_seen(sound: Scene) -> None:
    edited("fleet.yaml", "      unlocked", "      lock: locks/test.lock\n      unlocked")(sound)
    sound.write(".gitignore", "/locks/\n")
    sound.commit("a lock of its own")
    (sound.root / "locks").mkdir()
    rested(sound, "locks/test.lock")
    assert is_known(sound)
    file = sound.root / "locks/test.lock"
    file.write_bytes(file.read_bytes().replace(b"-1111111", b"-2222222", 1))
    assert not is_known(sound)


def test_without_git_it_is_remembered_and_seen_as_well(sound: Scene) -> None:
    subprocess.run(["rm", "-r", str(sound.root / ".git")], check=True)
    rested(sound)
    assert is_known(sound)
    (sound.root / "images/middle/a").chmod(0o755)
    assert not is_known(sound)


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_what_is_remembered_is_told_as_what_is_found_out(rest: Scene, output: str, tmp_path: Path) -> None:
    for names in ((), ("top",), ("side", "platform-own")):
        first = rest.images("plan", *names, "-o", output, FLEET_BLOBS=str(tmp_path / output))
        assert known(rest, names=names) or (rest.images("plan", *names), known(rest, names=names))[1]
        assert rest.images("plan", *names, "-o", output).output == first.output


def test_something_to_build_is_never_remembered(sound: Scene, blobs: Path) -> None:
    assert "to look up or build" in plan(sound)
    assert not list(blobs.glob("answers/*"))


def test_a_base_that_the_lock_does_not_tell_is_not_remembered_since_a_build_notes_it(sound: Scene) -> None:
    pinned = f"registry.example/mirror@sha256:{'d' * 64}"
    sound.write("specs/images/base.yaml", (sound.root / "specs/images/base.yaml").read_text().replace(BASE, pinned))
    sound.write("images/base/Dockerfile", f"FROM {pinned}\n")
    rested(sound)
    assert not is_known(sound)


# Building


class Reached(Exception):
    """The build went on to what builds."""


@pytest.fixture
def builds(rest: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene in which builds say that they would look further."""

    async def builder(*_: object, builds: bool) -> None:
        raise Reached

    monkeypatch.setattr(equipment, "builder", builder)
    return rest


@pytest.mark.parametrize("times", [1, 2])
def test_nothing_to_build_needs_neither_builder_nor_scanner(builds: Scene, times: int) -> None:
    for _ in range(times):
        done = builds.images("build", "-o", "json")
        assert done.exit_code == 0
    assert {one["image"]: one["outcome"] for one in json.loads(done.stdout)} == dict.fromkeys(NAMES, "unchanged")
    assert "side: unchanged  20261120-1111111" in done.stderr
    assert known(builds, "build")


def test_a_build_that_the_registry_lost_is_built_whatever_is_remembered(builds: Scene) -> None:
    assert builds.images("build").exit_code == 0
    builds.shelf("side").manifests.clear()
    assert is_known(builds)
    with pytest.raises(Reached):
        builds.images("build")


def test_a_registry_that_does_not_tell_is_asked_by_the_build(builds: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert builds.images("build").exit_code == 0

    async def denied(_: MemoryRegistry, repository: Repository, reference: str) -> None:
        raise Denied(f"{repository} {reference}: no", status=403)

    monkeypatch.setattr(MemoryRegistry, "head", denied)
    with pytest.raises(Reached):
        builds.images("build")


@pytest.mark.parametrize("option", [("--force",), ("--no-push",), ("--reports", "reports"), ("--platform", "linux/amd64")])
def test_whoever_asks_for_more_gets_it(builds: Scene, option: tuple[str, ...]) -> None:
    assert builds.images("build").exit_code == 0
    with pytest.raises(Reached):
        builds.images("build", *option)


def test_a_secret_that_is_not_there_is_refused_whatever_is_remembered(builds: Scene) -> None:
    assert builds.images("build").exit_code == 0
    assert builds.images("build", "--secret", "pip=nowhere").exit_code == 2


def test_a_plan_says_nothing_of_dockerfiles_so_a_build_does_not_go_by_it(rest: Scene) -> None:
    edited("images/side/Dockerfile", "FROM base\n", "FROM base\nRUN sudo x\nADD http://x.example/y /y\nNONSENSE\n")(rest)
    rested(rest)
    assert is_known(rest)
    refused = rest.images("build")
    assert refused.exit_code == 1
    assert "images/side/Dockerfile:" in refused.stderr
    assert not known(rest, "build")


# Imports


class Registry(BaseHTTPRequestHandler):
    """Has every image that it is asked for."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        for name, value in (
            ("Content-Type", MANIFEST),
            ("Content-Length", "2"),
            ("Docker-Content-Digest", self.path.rpartition("/")[2]),
        ):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("plan", {"asyncio", "httpx", "ssl"}),
        ("build", set[str]()),
    ],
)
def test_nothing_to_build_imports_little(sound: Scene, host: str, command: str, without: set[str]) -> None:
    edited("fleet.yaml", "registry.example/acme", f"{host}/acme")(sound)
    sound.commit("a real one")
    rested(sound)
    unused = without | {"aiohttp", "cryptography", "cyclonedx", "dagger", "kubernetes", "pydantic", "rich", "sqlalchemy", "yaml"}
    code = AFTER + "print(*sorted({name.partition('.')[0] for name, module in sys.modules.items() if getattr(module, '__spec__', None)}))"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, "images", command], cwd=sound.root, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert not unused & set(done.stdout.splitlines()[-1].split())
    assert Together.__module__ not in done.stdout
