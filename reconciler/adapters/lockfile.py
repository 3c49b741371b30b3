"""The lock's file, rewritten whole or not at all, one writer after the other."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TRIES = 5
"""How often a change is made anew because somebody who does not ask for turns, such as an editor, wrote meanwhile."""
_LIMIT = 16 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LockNotWritten(Exception):
    """The lock's file is as it was. Says why."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


def rewrite(file: Path, change: Callable[[bytes | None], bytes]) -> bool:
    """Replace the lock in `file` by what `change` makes of it (of None where there is no file yet). Returns whether it changed.

    Two calls, in two processes too, do not overlap: the second one's `change` sees what the first one wrote. What `change` raises leaves the
    file as it is. Raises LockNotWritten.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _turn(file.parent) as folder:
            for _ in range(TRIES):
                before = _read(folder, file)
                data = change(before)
                if data == before:
                    return False
                if _replaced(folder, file, before, data):
                    return True
    except OSError as fault:
        raise LockNotWritten(f"{file} cannot be written: {fault.strerror or fault}", _fix(fault)) from None
    raise LockNotWritten(f"{file} is written by somebody else again and again", "close it in the editor, and run again")


def _fix(fault: OSError) -> str:
    return (
        "make room on the disk, and run again"
        if fault.errno in (errno.ENOSPC, errno.EDQUOT)
        else "make the folder one that you may write to"
    )


@contextmanager
def _turn(folder: Path) -> Iterator[int]:
    """The folder, while nobody else who asks has it. The kernel takes the turn back from whoever dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: int, file: Path) -> bytes | None:
    try:
        descriptor = os.open(file.name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            raise LockNotWritten(
                f"{file} is a symbolic link: it would be replaced, not what it points to", "put the file itself there"
            ) from None
        raise
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LockNotWritten(f"{file} is no regular file", "put the lock itself there")
        data = opened.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise LockNotWritten(f"{file} is larger than {_LIMIT >> 20} MiB: that is no lock", "take the file back from git")
    return data


def _replaced(folder: int, file: Path, before: bytes | None, data: bytes) -> bool:
    """Whether the new lock stands there. It is on the disk before it takes the name, so that no crash leaves half of it."""
    neighbour = f".{file.name}.new"
    with contextlib.suppress(FileNotFoundError):  # of somebody who was killed: it is our turn
        os.unlink(neighbour, dir_fd=folder)
    try:
        with os.fdopen(os.open(neighbour, _NEW, 0o666, dir_fd=folder), "wb") as new:
            if before is not None:
                os.fchmod(new.fileno(), stat.S_IMODE(os.stat(file.name, dir_fd=folder, follow_symlinks=False).st_mode))
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
        if _read(folder, file) != before:
            return False
        os.rename(neighbour, file.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(neighbour, dir_fd=folder)
