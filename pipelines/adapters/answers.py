"""Answers that were found once, kept in a folder of this user's: one small file each, the oldest of too many deleted.

What others could have written is not read. What cannot be kept or read is only not remembered.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST = 256
"""Answers that are kept."""
LARGEST = 4 << 20
"""Bytes of one; a thousand images make 0.3 MiB."""
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Answers:
    """By the digest of what was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, asked: str) -> bytes:
        """What was kept; nothing where nothing was, or where it is not ours alone."""
        with suppress(OSError), self._opened() as folder, _closing(os.open(asked, _READ, dir_fd=folder)) as file:
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode) and _is_ours(status) and status.st_size <= LARGEST:
                return os.read(file, LARGEST)
        return b""

    def put(self, asked: str, answer: bytes) -> None:
        """Keep an answer. Whole or not at all: it is written beside its place, and takes its name then."""
        if len(answer) > LARGEST:
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._opened() as folder:
                beside = f".{asked}.{os.getpid()}"
                try:
                    with _closing(os.open(beside, _WRITE, 0o600, dir_fd=folder)) as file:
                        if os.write(file, answer) == len(answer):
                            os.rename(beside, asked, src_dir_fd=folder, dst_dir_fd=folder)
                finally:
                    with suppress(OSError):
                        os.unlink(beside, dir_fd=folder)
                _bound(folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with _closing(os.open(self._folder, _FOLDER)) as folder:
            if not _is_ours(os.fstat(folder)):
                raise PermissionError
            yield folder


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _bound(folder: int) -> None:
    names = os.listdir(folder)
    if len(names) > MOST:
        aged = sorted((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns, name) for name in names)
        for _, name in aged[: len(names) - MOST // 2]:
            os.unlink(name, dir_fd=folder)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
