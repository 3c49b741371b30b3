"""Reads a tar as it streams by: ustar, PAX and GNU's long names.

The standard library's reader ends silently at a damaged header and keeps every member in memory; a layer must be read whole or refused.
Formats: POSIX.1-2017 pax, `Extended Header` and `ustar Interchange Format`; GNU tar manual, `Basic Tar Format`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from pipelines.core.layer.entries import LayerRefused

BLOCK = 512
CHUNK = 1 << 20
HEADER_LIMIT = 1 << 20
"""Bytes of one extended header; the limit that Go's archive/tar, and so every engine, has."""
XATTR = "SCHILY.xattr."


class Readable(Protocol):
    """Bytes in order; fewer than asked for only at the end is not promised."""

    def read(self, size: int, /) -> bytes: ...


class Member(NamedTuple):
    """One entry of a tar, as it says."""

    name: str
    flag: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    xattrs: tuple[tuple[str, bytes], ...]
    device: tuple[int, int]
    offset: int
    """Where its content begins in the tar."""


def number(field: bytes) -> int:
    """A number of a header: octal digits, or base 256 where the first bit is set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        return value - (1 << 8 * len(field)) if field[0] & 0x40 else value - (0x80 << 8 * (len(field) - 1))
    digits = field.replace(b"\0", b" ").strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise LayerRefused("a tar header has a number that is none") from None


def text(field: bytes) -> str:
    """A string of a header, up to its NUL; bytes that are no UTF-8 survive as surrogates."""
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def records(body: bytes) -> dict[str, bytes]:
    """The records of an extended header: `LENGTH KEY=VALUE\\n`, where the length counts all of it."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        digits = body[at:space] if space > 0 else b""
        end = at + int(digits) if digits.isdigit() else 0
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if end <= at or end > len(body) or body[end - 1 : end] != b"\n" or not equals:
            raise LayerRefused("a tar has a damaged extended header")
        found[key.decode("utf-8", "surrogateescape")] = value
        at = end
    return found


class Tar:
    """The members of a tar in order; the content of the one that came last can be read until the next is asked for."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._at = 0
        self._left = 0
        self._padding = 0
        self._global: dict[str, bytes] = {}

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = self._stream.read(min(size, CHUNK))
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._at += len(part)
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def content(self) -> Iterator[bytes]:
        """The bytes of the member that came last, in chunks of at most 1 MiB."""
        while self._left:
            chunk = self._exactly(min(self._left, CHUNK))
            if not chunk:
                raise LayerRefused("a tar ends in the middle of a file")
            self._left -= len(chunk)
            yield chunk

    def _body(self, size: int) -> bytes:
        """The whole content of a small thing: an extended header or a long name."""
        if size > HEADER_LIMIT:
            raise LayerRefused("a tar has an extended header of more than 1 MiB")
        padded = size + -size % BLOCK
        body = self._exactly(padded)
        if len(body) != padded:
            raise LayerRefused("a tar ends in the middle of a header")
        return body[:size]

    def _header(self) -> bytes | None:
        for _ in self.content():
            pass
        if len(self._exactly(self._padding)) != self._padding:
            raise LayerRefused("a tar ends in the middle of a file")
        self._padding = 0
        block = self._exactly(BLOCK)
        if not block or block == bytes(BLOCK):
            return None
        if len(block) != BLOCK or sum(block[:148]) + sum(block[156:]) + 8 * 32 != number(block[148:156]):
            raise LayerRefused("a tar has a damaged header")
        return block

    def __iter__(self) -> Iterator[Member]:
        extra: dict[str, bytes] = {}
        while block := self._header():
            flag, size = block[156:157], number(block[124:136])
            if flag == b"x":
                extra |= records(self._body(size))
            elif flag == b"g":
                self._global |= records(self._body(size))
            elif flag in b"LK":
                extra["path" if flag == b"L" else "linkpath"] = self._body(size).rstrip(b"\0")
            else:
                yield self._member(block, flag, self._global | extra)
                extra = {}
        if extra:
            raise LayerRefused("a tar ends after an extended header")

    def _member(self, block: bytes, flag: bytes, extra: dict[str, bytes]) -> Member:
        if flag == b"S" or any(key.startswith("GNU.sparse.") for key in extra):
            raise LayerRefused("a tar has a sparse file", "have the builder write plain files")
        prefix = text(block[345:500]) if block[257:263] == b"ustar\0" else ""
        name = text(extra["path"]) if "path" in extra else (f"{prefix}/" if prefix else "") + text(block[:100])
        size = whole(extra, "size", number(block[124:136]))
        if flag in (b"\0", b"7"):
            flag = b"5" if name.endswith("/") else b"0"
        self._left = size if flag == b"0" else 0
        self._padding = -self._left % BLOCK
        return Member(
            name,
            flag,
            number(block[100:108]) & 0o7777,
            whole(extra, "uid", number(block[108:116])),
            whole(extra, "gid", number(block[116:124])),
            self._left,
            whole(extra, "mtime", number(block[136:148])),
            text(extra["linkpath"]) if "linkpath" in extra else text(block[157:257]),
            tuple(sorted((key.removeprefix(XATTR), value) for key, value in extra.items() if key.startswith(XATTR))),
            (number(block[329:337]), number(block[337:345])) if flag in (b"3", b"4") else (0, 0),
            self._at,
        )


def whole(extra: dict[str, bytes], key: str, otherwise: int) -> int:
    """A number of an extended header, without its fraction; never below zero for a size."""
    if key not in extra:
        value = otherwise
    else:
        try:
            value = int(extra[key].partition(b".")[0])
        except ValueError:
            raise LayerRefused(f"a tar has an extended header whose {key} is no number") from None
    if value < 0 and key != "mtime":
        raise LayerRefused(f"a tar has a negative {key}")
    return value
