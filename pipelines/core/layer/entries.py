"""What a path of an image is, and how its name is read."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class LayerRefused(Exception):
    """A layer that cannot be read or must not become part of an image. Says which path and why."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Kind(StrEnum):
    """What is at a path."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "fifo"
    CHARACTER = "character"
    BLOCK = "block"


class Entry(NamedTuple):
    """Everything about a path that counts; its time does not."""

    kind: Kind
    mode: int = 0o644
    """Permissions with setuid, setgid and sticky; 0777 for every symbolic link."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    digest: bytes = b""
    """sha256 of a file's content."""
    link: str = ""
    """Where a symbolic link points."""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes, sorted; file capabilities are one of them."""
    device: tuple[int, int] = (0, 0)


IMPLIED = Entry(Kind.DIRECTORY, 0o755)
"""A directory that a layer uses but does not list, as engines make it."""


def shown(path: str) -> str:
    """A path as it can be printed: control characters and bytes that are no UTF-8 as escapes."""
    return "/" + "".join(
        each if each.isprintable() else each.encode("utf-8", "surrogateescape").decode("latin-1").encode("unicode_escape").decode()
        for each in path
    )


def normal(name: str) -> str:
    """A tar name relative to the root, without `.`; empty for the root. `..` and NUL are refused, a leading `/` is the root's."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise LayerRefused(f"the name {shown(name)} leaves the image")
    return "/".join(parts)


def folder(path: str) -> str:
    """The directory that a path is in; empty for the root."""
    return path.rpartition("/")[0]


def folders(path: str) -> list[str]:
    """The directories above a path, outermost first, without the root."""
    return [path[:at] for at, each in enumerate(path) if each == "/"]
