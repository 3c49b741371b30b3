"""Writes canonical layers: POSIX pax, the same bytes for the same layer in every version of everything."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

from pipelines.core.layer.change import Item, Layer
from pipelines.core.layer.entries import Entry, Kind, LayerRefused, shown
from pipelines.core.layer.index import WHITEOUT
from pipelines.core.layer.tar import BLOCK, CHUNK, XATTR, Readable

FLAGS = {
    Kind.FILE: b"0",
    Kind.SYMLINK: b"2",
    Kind.CHARACTER: b"3",
    Kind.BLOCK: b"4",
    Kind.DIRECTORY: b"5",
    Kind.FIFO: b"6",
}
HARD_LINK = b"1"
NAME_BYTES = 100
EMPTY_FILE = Entry(Kind.FILE, 0)


class Seekable(Readable, Protocol):
    """Bytes in any order."""

    def seek(self, offset: int, /) -> int: ...


class Writable(Protocol):
    """Takes bytes in order."""

    def write(self, data: bytes, /) -> object: ...


class Written(NamedTuple):
    """An uncompressed layer that was written: `sha256:<hex>` and bytes."""

    diff_id: str
    size: int


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def header(name: bytes, flag: bytes, entry: Entry, size: int, mtime: int, link: bytes) -> bytes:
    """One block of the ustar interchange format, without names of users."""
    fields = (
        name.ljust(NAME_BYTES, b"\0"),
        octal(entry.mode, 8),
        octal(entry.uid, 8),
        octal(entry.gid, 8),
        octal(size, 12),
        octal(mtime, 12),
        b" " * 8,
        flag,
        link.ljust(NAME_BYTES, b"\0"),
        b"ustar\x0000",
        bytes(64),
        octal(entry.device[0], 8),
        octal(entry.device[1], 8),
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def record(key: bytes, value: bytes) -> bytes:
    """A record of an extended header; its length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def plain(value: bytes) -> bool:
    """Whether a name fits a ustar field: short, and ASCII."""
    return len(value) <= NAME_BYTES and value.isascii()


def heading(path: str, entry: Entry, mtime: int, twin: str = "") -> bytes:
    """Everything before the content of one path: an extended header where the plain one is not enough, and the plain one."""
    name = path.encode("utf-8", "surrogateescape") + (b"/" if entry.kind is Kind.DIRECTORY else b"")
    link = (twin or entry.link).encode("utf-8", "surrogateescape")
    flag = HARD_LINK if twin else FLAGS[entry.kind]
    size = entry.size if flag == b"0" else 0
    extended = [record((XATTR + key).encode("utf-8", "surrogateescape"), value) for key, value in entry.xattrs] if not twin else []
    for key, number, digits in ((b"uid", entry.uid, 7), (b"gid", entry.gid, 7), (b"size", size, 11), (b"mtime", mtime, 11)):
        if number >= 8**digits:
            extended.append(record(key, b"%d" % number))
    if not plain(name):
        extended.append(record(b"path", name))
    if not plain(link):
        extended.append(record(b"linkpath", link))
    fits = entry._replace(uid=entry.uid % 8**7, gid=entry.gid % 8**7)
    block = header(
        name[:NAME_BYTES] if plain(name) else ascii_of(name),
        flag,
        fits,
        size % 8**11,
        mtime % 8**11,
        link if plain(link) else ascii_of(link),
    )
    if not extended:
        return block
    body = b"".join(sorted(extended))
    before = header(b"PaxHeaders/" + ascii_of(name)[:80], b"x", EMPTY_FILE._replace(mode=0o644), len(body), mtime % 8**11, b"")
    return before + body.ljust(len(body) + -len(body) % BLOCK, b"\0") + block


def ascii_of(name: bytes) -> bytes:
    """Something readable for the field of a name that the extended header has in full."""
    return bytes(each if 32 <= each < 127 else 95 for each in name[:NAME_BYTES])


class Hashing:
    """Passes bytes on, and knows their digest and how many there were."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> object:
        self._hash.update(data)
        self.size += len(data)
        return self._out.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def written(layer: Layer, raw: Seekable, out: Writable) -> Written:
    """Write a layer as a tar to `out`, contents from the builder's tar `raw`; holds a megabyte of it at a time."""
    hashing = Hashing(out)
    for path in layer.whiteouts:
        above, slash, name = path.rpartition("/")
        hashing.write(heading(f"{above}{slash}{WHITEOUT}{name}", EMPTY_FILE, 0))
    for item in layer.items:
        hashing.write(heading(item.path, item.entry, item.mtime, item.twin))
        if item.entry.kind is Kind.FILE and not item.twin:
            copied(item, raw, hashing)
    hashing.write(bytes(2 * BLOCK))
    return Written(hashing.digest, hashing.size)


def copied(item: Item, raw: Seekable, out: Writable) -> None:
    left = item.entry.size
    if left:
        raw.seek(item.offset)
    while left:
        chunk = raw.read(min(left, CHUNK))
        if not chunk:
            raise LayerRefused(f"the builder's layer became shorter while it was read, at {shown(item.path)}")
        out.write(chunk)
        left -= len(chunk)
    out.write(bytes(-item.entry.size % BLOCK))
