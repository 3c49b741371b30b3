"""Writes a build context as a folder: exactly the given files, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from pipelines.model.context import ContextFile, ContextItem, ContextLink
from pipelines.ports import BuildFailed

EARLIEST = 315_532_800
"""1980-01-01: what wheels and other zip files can say."""
LONGEST_NAME = 255
LONGEST_PATH = 4000


class ContextRefused(BuildFailed):
    """A context with a name or a link that could reach outside, or that no folder can have. Nothing was written."""


def materialise(items: Mapping[str, ContextItem], into: Path, when: int = 0) -> None:
    """Make `into` a folder with these files, in place of what was there. Every time in it is `when` (seconds), but 1980 or later.

    Names are relative with `/`. Modes are 0755 for folders and executables, else 0644, whatever the umask. Raises ContextRefused;
    BuildFailed where a file cannot be read or the disk is full.
    """
    check(items)
    into.parent.mkdir(parents=True, exist_ok=True)
    stamp = max(when, EARLIEST)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}-") as scratch:
        root = Path(scratch) / "context"
        root.mkdir()
        try:
            for name, item in items.items():
                written(root / name, item)
            stamped(root, stamp)
        except OSError as error:
            raise BuildFailed(f"the build context cannot be written: {error}", "look at the file and at the disk's free space") from error
        if into.is_symlink() or into.exists():
            into.rename(Path(scratch) / "before")
        root.rename(into)


def check(items: Mapping[str, ContextItem]) -> None:
    """Raise ContextRefused for names and links that a folder cannot have or that leave it."""
    for name, item in items.items():
        parts = name.split("/")
        if not name or any(part in ("", ".", "..") for part in parts) or not name.isprintable():
            raise refused(name, "it must be relative, without `.`, `..` or control characters")
        if len(os.fsencode(name)) > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_NAME for part in parts):
            raise refused(name, "it is too long")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in items:
                raise refused(name, f"{'/'.join(parts[:depth])} is a file or a link, not a folder")
        if isinstance(item, ContextLink):
            followed(name, items)


def followed(name: str, items: Mapping[str, ContextItem]) -> None:
    """Raise ContextRefused where a link leaves the context, however many links it goes through on the way."""
    path = name.split("/")[:-1]
    item = items[name]
    assert isinstance(item, ContextLink)
    left = item.target.split("/")[::-1]
    hops = 0
    if not item.target or item.target.startswith("/") or "\0" in item.target:
        raise refused(name, "a link must be relative")
    while left:
        part = left.pop()
        if part == "..":
            if not path:
                raise refused(name, f"it points outside: {item.target}")
            path.pop()
        elif part not in ("", "."):
            path.append(part)
            through = items.get("/".join(path))
            if isinstance(through, ContextLink):
                hops += 1
                if hops > 40:
                    raise refused(name, "it goes in circles")
                if through.target.startswith("/"):
                    raise refused("/".join(path), "a link must be relative")
                path.pop()
                left.extend(through.target.split("/")[::-1])


def refused(name: str, why: str) -> ContextRefused:
    return ContextRefused(f"{name!a} cannot be in a build context: {why}", "rename it, or leave it out with `ignore`")


def written(path: Path, item: ContextItem) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match item:
        case ContextLink(target):
            path.symlink_to(target)
        case ContextFile(content, executable):
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
            path.chmod(0o755 if executable else 0o644)
        case _:
            assert_never(item)


def stamped(root: Path, when: int) -> None:
    """Give everything its time and folders their mode, innermost first: a folder's time changes with what is in it."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            os.utime(Path(folder) / name, (when, when), follow_symlinks=False)
        for link in Path(folder).iterdir():
            if link.is_symlink():
                os.utime(link, (when, when), follow_symlinks=False)
        Path(folder).chmod(0o755)
        os.utime(folder, (when, when))
