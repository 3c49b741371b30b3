"""What an audit wants of each file while an image is read once from start to end: facts of ELF files, and the bytes of sources and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.core.audit.elf import MAGIC, Broken, Reader, read
from pipelines.core.audit.modules import SITES
from pipelines.core.audit.tree import within
from pipelines.model.audit import Elf

MAX_SOURCE = 8 << 20
"""Python files and settings above this are not read, in bytes."""
SETTINGS = frozenset({"etc/os-release", "usr/lib/os-release", "etc/ld.so.conf", "var/lib/dpkg/status"})
SETTING_FOLDERS = {"etc/ld.so.conf.d", "var/lib/dpkg/status.d"}


class Seen(NamedTuple):
    """What one file gave: its ELF facts, that its bytes are to be kept, or why it could not be read."""

    elf: Elf | None = None
    keep: bool = False
    fault: str = ""


NOTHING = Seen()


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at; folders are paths without leading slash, the empty one is everything."""

    python: frozenset[str] = field(default_factory=frozenset)
    libraries: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, path: str, size: int, at: Reader) -> Seen:
        """Look at one file. `at` reads it; asking for an offset means that everything before comes off the disk."""
        if size <= MAX_SOURCE and self._is_kept(path):
            return Seen(keep=True)
        if size < len(MAGIC) or at(0, len(MAGIC)) != MAGIC:
            return NOTHING
        try:
            return Seen(elf=read(at, size, scan=within(path, set(self.libraries))))
        except Broken as fault:
            return Seen(fault=f"an ELF file that cannot be read: {fault}")

    def _is_kept(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if path in SETTINGS or folder in SETTING_FOLDERS:
            return True
        at_home = folder.rpartition("/")[2] in SITES
        return (name.endswith(".pth") and at_home) or (
            name.endswith(".py") and (any(f"/{site}/" in f"/{path}" for site in SITES) or within(path, set(self.python)))
        )
