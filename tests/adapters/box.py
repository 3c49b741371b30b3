"""A git repository to try things on, cut off from the settings of whoever runs the tests."""

import subprocess
from pathlib import Path

import pytest


class Box:
    """A repository in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(["git", "-C", self.root, *arguments], input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().rstrip("\n")

    def write(self, path: str, data: str | bytes = "a: 1\n") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        return file

    def commit(self, message: str = "work") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def box(tmp_path: Path, plain_git: None) -> Box:
    """A repository with one small fleet committed."""
    root = tmp_path / "fleet"
    root.mkdir()
    box = Box(root)
    box.git("init", "--quiet", "--initial-branch=main")
    box.git("config", "user.name", "Ana")
    box.git("config", "user.email", "ana@acme.example")
    box.write("fleet.yaml", "kind: Fleet\n")
    box.write("fleet.lock", "lockVersion: 1\n")
    box.write("specs/services/platform/web.yaml", "kind: Service\n")
    box.write("specs/images/base.yaml", "kind: Image\n")
    box.write("policies/default/SVC101.yaml", "scope: Service\n")
    box.write("images/base/Dockerfile", "FROM scratch\n")
    box.write("images/base/bin/run", "#!/bin/sh\n").chmod(0o755)
    (root / "images/base/link").symlink_to("bin/run")
    box.write("README.md", "words\n")
    box.commit("the fleet")
    return box
