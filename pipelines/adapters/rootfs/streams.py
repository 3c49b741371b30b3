"""Streams: the bytes of a layer, no more of them than anybody honest needs."""

from __future__ import annotations

import gzip
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

from pipelines.core.audit.tree import Hostile
from pipelines.core.layer.compress import zstandard

MAX_HEADER = 1 << 20
"""Bytes that one extended header of a tar may have: a path and its attributes, not a place to hide gigabytes."""
IN_MEMORY = 4 << 20
CHUNK = 1 << 20
_EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})


class _Header(tarfile.TarInfo):
    """A header of a tar that does not have the next one read into memory whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > MAX_HEADER:
            raise Hostile(f"an extended header claims {header.size} bytes")
        return header


class Counted:
    """The unpacked bytes of a layer; `count` is told of each block, and may refuse it."""

    def __init__(self, stream: BinaryIO, count: Callable[[int], None]) -> None:
        self.stream, self.count = stream, count

    def read(self, size: int) -> bytes:
        block = self.stream.read(size)
        self.count(len(block))
        return block


class Window:
    """One file of a stream: read as far as somebody asks, kept in memory or, when it is large, on the disk for a moment."""

    def __init__(self, stream: IO[bytes], size: int, scratch: str | None) -> None:
        self.stream, self.size, self.read = stream, size, 0
        self.spool = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=scratch)  # noqa: SIM115  closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spool.close()

    def at(self, offset: int, size: int) -> bytes:
        end = min(max(offset, 0) + max(size, 0), self.size)
        self.spool.seek(0, os.SEEK_END)
        while self.read < end and (block := self.stream.read(min(CHUNK, max(end - self.read, 4096)))):
            self.spool.write(block)
            self.read += len(block)
        self.spool.seek(min(max(offset, 0), self.read))
        return self.spool.read(max(0, end - max(offset, 0)))


def tar(stream: Counted) -> tarfile.TarFile:
    """A tar that is read from start to end; `read` is all that it asks of its stream."""
    return tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", tarinfo=_Header, encoding="utf-8", bufsize=CHUNK)


def opened(blob: Path) -> BinaryIO:
    """A layer's tar, uncompressed. Told by its first bytes: what media types say is not always so."""
    with blob.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.open(blob, "rb"))
    if head == b"\x28\xb5\x2f\xfd":
        return cast("BinaryIO", _Zstd(blob.open("rb")))
    return blob.open("rb")


class _Zstd:
    """A stream of zstd frames; what is wrong with them is a ValueError, as it is elsewhere."""

    def __init__(self, file: BinaryIO) -> None:
        self.library = zstandard()
        self.stream = self.library.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def read(self, size: int) -> bytes:
        try:
            return bytes(self.stream.read(size))
        except self.library.ZstdError as fault:
            raise ValueError(str(fault)) from None
