"""What a builder gets to see: the files of a context, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file: its bytes, or where they are on this machine."""

    content: bytes | PurePath
    executable: bool = False


@dataclass(frozen=True, slots=True)
class ContextLink:
    """A symbolic link, relative, to something inside of the context."""

    target: str


ContextItem = ContextFile | ContextLink
