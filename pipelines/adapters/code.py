"""Code: which one runs here, told as Python itself tells whether its byte code is still of a source: by size and time of each file."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

OURS = ("reconciler", "pipelines")
THEIRS = ("pydantic", "pydantic_core", "yaml")
"""What reads specs for us. Where another release of one is installed, the folder that holds it changes."""
TOP = Path(__file__).parents[2]
"""The folder that holds ours."""


def code(top: Path = TOP) -> str:
    """A digest that is another one with other code: ours in the folder `top`, Python's, or that of what we read specs with."""
    made = hashlib.sha256(sys.version.encode())
    for name in OURS:
        made.update("".join(_files(f"{top}/{name}")).encode())
    for name in THEIRS:
        found = find_spec(name)
        if found and found.origin:
            status = Path(found.origin).parents[1].stat()
            made.update(f"{found.origin} {status.st_mtime_ns} {status.st_ino}\n".encode())
    return made.hexdigest()


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                status = entry.stat()
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}\n"
