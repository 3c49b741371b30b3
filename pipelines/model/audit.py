"""What an audit of an image reads and says: entries of its file system, what ELF files link to, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class EntryKind(StrEnum):
    """What stands at a path. Devices, pipes and sockets are `other`: nobody imports or links them."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


class Entry(NamedTuple):
    """One path of a root file system."""

    kind: EntryKind
    size: int = 0
    """Bytes; 0 for what is no file."""
    target: str = ""
    """Of a symbolic link, as written."""
    content: int = 0
    """Names the content of a file: hard links share it. 0 for what is no file."""


class Elf(NamedTuple):
    """What the dynamic loader reads of an ELF file (System V ABI, "Dynamic Linking"; ld.so(8))."""

    machine: tuple[int, str, int]
    """Bits, byte order (`little` or `big`) and e_machine: only files that agree in all three are loaded together."""
    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interpreter: str = ""
    opens: tuple[str, ...] = ()
    """Names of libraries among its strings, where it calls dlopen: what it may load later."""


class System(NamedTuple):
    """The distribution in an image (os-release(5)) and its architecture in Debian's words."""

    id: str = ""
    version: str = ""
    suite: str = ""
    architecture: str = ""

    def __str__(self) -> str:
        named = " ".join(part for part in (self.id, self.version, f"({self.suite})" if self.suite else "", self.architecture) if part)
        return named or "an unknown distribution"


class GapKind(StrEnum):
    """What kind of thing is missing."""

    LIBRARY = "library"
    MODULE = "module"
    PACKAGE = "package"


class Grade(StrEnum):
    """How sure it is that something breaks."""

    ERROR = "error"
    """It fails as soon as the code is loaded."""
    WARNING = "warning"
    """It fails when some part of the code runs."""
    NOTE = "note"
    """It may fail: the code can live without it, or we cannot tell."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that the image lacks."""

    kind: GapKind
    name: str
    """As it is asked for: `libGL.so.1`, `cv2`, `ffmpeg`."""
    grade: Grade
    needed_by: tuple[str, ...]
    """Paths in the image, sorted; with the line where it is a source."""
    reason: str
    """How it is asked for: `linked to`, `imported`."""
    add: tuple[str, ...] = ()
    """What to add: Debian packages for libraries, distributions of the Python package index for modules. Empty where nobody knows."""
    detail: str = ""
    """What else there is to say of how it is asked for."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change, in one line."""

    file: str
    line: int
    """Line after or in which it goes; 0 where it is up to whoever edits."""
    text: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found, worst first."""

    system: System
    gaps: tuple[Gap, ...]
    edits: tuple[Edit, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    """Files that could not be read, and why; under the empty path, what else could not be told."""
    sources: int = 0
    """Python files that were looked at."""
    objects: int = 0
    """ELF files that were looked at."""

    @property
    def passed(self) -> bool:
        """Whether nothing is missing for sure."""
        return all(gap.grade is not Grade.ERROR for gap in self.gaps)
