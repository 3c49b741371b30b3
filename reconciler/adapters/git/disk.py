"""What lies on the disk of a bare repository: how much, and what a git left there that was killed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_ABANDONED = ("objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/pack/*.keep", "objects/??/tmp_obj_*", "*.lock", "refs/**/*.lock")


def size(home: Path) -> int:
    """Bytes of packs, finished or not."""
    total = 0
    with suppress(OSError):
        for file in (home / "objects/pack").iterdir():
            with suppress(OSError):
                total += file.stat().st_size
    return total


def packs(home: Path) -> frozenset[str]:
    """The names of finished packs."""
    return frozenset(file.name for file in (home / "objects/pack").glob("*.pack"))


def tidy(home: Path) -> None:
    """Delete what was left. No git may run there."""
    for pattern in _ABANDONED:
        for file in home.glob(pattern):
            file.unlink(missing_ok=True)
