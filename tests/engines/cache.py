"""The engine cache: one folder per engine and version, made once under a file lock, checked by sha256 each time it is reused."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"
CHUNK = 1 << 20


class EngineMissing(Exception):
    """An engine is neither here nor to be had; the message is a sentence that says why and what to do."""


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/fleetwright/engines`, which is under `~/.cache` by default (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleetwright" / "engines"


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file; whoever comes second waits. The kernel lets go of it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def seal(folder: Path, **facts: str | float) -> None:
    """Writes the manifest of a folder: its facts and the sha256 of each file."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({**facts, "sha256": files}, indent=1) + "\n")


def intact(folder: Path) -> bool:
    """Whether each file of a sealed folder still has the content that it was sealed with."""
    try:
        files = json.loads((folder / MANIFEST).read_text())["sha256"]
        return bool(files) and all(sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError):
        return False


def reuse(prefix: str) -> Path | None:
    """The newest intact folder whose name starts with the prefix; one that was damaged is removed."""
    for folder in sorted(cache_root().glob(prefix + "*/"), key=lambda path: path.stat().st_mtime, reverse=True):
        if intact(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    return None


def make(prefix: str, build: Callable[[Path], str]) -> Path:
    """The cached folder of an engine, else a new one: `build` fills an empty folder, seals it and returns its version."""
    root = cache_root()
    with locked(root / f"{prefix}.lock"):
        if found := reuse(prefix):
            return found
        with tempfile.TemporaryDirectory(prefix=".making-", dir=root) as scratch:
            folder = Path(scratch) / "engine"
            folder.mkdir()
            version = build(folder)
            final = root / f"{prefix}{version}"
            shutil.rmtree(final, ignore_errors=True)
            folder.rename(final)
            return final
