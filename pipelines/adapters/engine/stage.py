"""Puts a context where an engine has to read it.

Engines keep what they were sent of a machine, by path, and are sent only files whose size, mode or date is another one. So a path here says
what the content is: a file whose date was set back is never mistaken for the one before it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

CHUNK = 1 << 20


def stage(context: Path, into: Path) -> Path:
    """A folder in `into` with the files of `context`, as hard links where that is possible; its name is the digest of their content."""
    entries = sorted(context.rglob("*"))
    folder = into / f"context-{_digest(context, entries)}"
    folder.mkdir(exist_ok=True)
    for entry in entries:
        _put(entry, folder / entry.relative_to(context))
    return folder


def _digest(context: Path, entries: list[Path]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        if entry.is_file() and not entry.is_symlink():
            digest.update(f"{entry.relative_to(context)}\0{entry.stat().st_size}\0".encode(errors="surrogateescape"))
            with entry.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()[:32]


def _put(entry: Path, to: Path) -> None:
    if entry.is_symlink():
        to.symlink_to(entry.readlink())
    elif entry.is_dir():
        to.mkdir()
        shutil.copystat(entry, to)
    else:
        try:
            os.link(entry, to)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(entry, to)
