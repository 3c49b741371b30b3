"""Layers as registries have them: reads gzip, zstd and plain tars; writes gzip of one kind only.

Pinned are the library (ISA-L, "igzip"), its level, the size of what it is given at a time and every byte of the gzip header (RFC 1952), so the same
version gives the same digest. What is promised is the diff_id, of the uncompressed layer.
"""

from __future__ import annotations

import zlib
from typing import Any

from pipelines.core.layer.entries import LayerRefused
from pipelines.core.layer.tar import CHUNK, Readable
from pipelines.core.layer.write import Writable

LEVEL = 2
"""Eight times as fast as zlib's 4, and 3 % (CUDA libraries) to 10 % (a Debian system) larger. The same bytes wherever x86_64 was tried (ADR 68), as 3 is not."""
GIVEN = 1 << 20
"""Bytes at a time: what comes out hangs on it."""
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no flags, no name, no time, no extra flags, unknown system."""


class Gzip:
    """Compresses what is written to it; `close` writes the end of the stream and leaves `out` open."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._deflate = isal().compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._waiting = bytearray()
        self._crc = 0
        self._size = 0
        out.write(HEADER)

    def write(self, data: bytes, /) -> object:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._waiting += data
        while len(self._waiting) >= GIVEN:
            self._out.write(self._deflate.compress(self._waiting[:GIVEN]))
            del self._waiting[:GIVEN]
        return None

    def close(self) -> None:
        rest = self._deflate.compress(self._waiting) + self._deflate.flush()
        self._out.write(rest + self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little"))


class Plain:
    """The uncompressed bytes of a layer; how it is compressed is seen from its first bytes, since media types lie.

    By zlib, which hostile bytes have been tried on the longest.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._ready = b""
        self._pending = stream.read(CHUNK)
        self._kind = self._pending[:4]
        self._inflate = self._new()

    def _new(self) -> Any:
        if self._kind.startswith(GZIP):
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        if self._kind == ZSTD:
            return zstandard().ZstdDecompressor().decompressobj()
        return None

    def read(self, size: int, /) -> bytes:
        if self._inflate is None:
            found, self._pending = self._pending[:size], self._pending[size:]
            return found or self._stream.read(size)
        while not self._ready and not self._finished():
            self._ready = self._more()
        found, self._ready = self._ready[:size], self._ready[size:]
        return found

    def _finished(self) -> bool:
        """Whether there is no more to come. Starts the next member where one ends and another follows."""
        if not self._pending:
            self._pending = self._stream.read(CHUNK)
        if self._inflate.eof and self._pending.startswith((GZIP, ZSTD)):
            self._inflate = self._new()
        if not self._pending and not self._inflate.eof:
            raise LayerRefused("a compressed layer ends too early")
        return not self._pending or bool(self._inflate.eof)

    def _more(self) -> bytes:
        try:
            if self._kind == ZSTD:
                found = bytes(self._inflate.decompress(self._pending))
                self._pending = self._inflate.unused_data if self._inflate.eof else b""
            else:
                found = self._inflate.decompress(self._pending, CHUNK)
                self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        except Exception as error:
            raise LayerRefused(f"a compressed layer is damaged: {error}") from error
        return found


def isal() -> Any:
    """ISA-L in the shape of zlib."""
    try:
        from isal import isal_zlib as library
    except ImportError:
        raise LayerRefused("there is nothing to compress layers with", "install fleetwright[build], which brings ISA-L for it") from None
    return library


def zstandard() -> Any:
    """The zstd library, which only images that others made need."""
    try:
        import zstandard as library
    except ImportError:
        raise LayerRefused("a layer is compressed with zstd", "install fleetwright[build], which brings the library for it") from None
    return library
