"""Layers as registries have them: reads gzip, zstd and plain tars; writes gzip of one kind only.

Pinned are level, window, memory and strategy of deflate and every byte of the gzip header (RFC 1952), so the same zlib gives the same digest.
All zlib from 1.2.5 to 1.3 deflate alike; replacements such as zlib-ng do not. What is promised is the diff_id, of the uncompressed layer.
"""

from __future__ import annotations

import zlib
from typing import Any

from pipelines.core.layer.entries import LayerRefused
from pipelines.core.layer.tar import CHUNK, Readable
from pipelines.core.layer.write import Writable

LEVEL = 4
"""Twice as fast as zlib's own choice of 6 and 2.6 % larger, on the files of a Debian system."""
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no flags, no name, no time, no extra flags, unknown system."""


class Gzip:
    """Compresses what is written to it; `close` writes the end of the stream and leaves `out` open."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 8, zlib.Z_DEFAULT_STRATEGY)
        self._crc = 0
        self._size = 0
        out.write(HEADER)

    def write(self, data: bytes, /) -> object:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        return self._out.write(self._deflate.compress(data))

    def close(self) -> None:
        self._out.write(self._deflate.flush() + self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little"))


class Plain:
    """The uncompressed bytes of a layer; how it is compressed is seen from its first bytes, since media types lie."""

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


def zstandard() -> Any:
    """The zstd library, which only images that others made need."""
    try:
        import zstandard as library
    except ImportError:
        raise LayerRefused("a layer is compressed with zstd", "install fleetwright[build], which brings the library for it") from None
    return library
