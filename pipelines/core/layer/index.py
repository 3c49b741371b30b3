"""Indexes a layer: what each of its paths is and what it hides, without keeping any content."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pipelines.core.layer.entries import Entry, Kind, LayerRefused, folder, normal, shown
from pipelines.core.layer.rules import BYTE_CODE, XATTRS_OF_MACHINES, timed_by
from pipelines.core.layer.tar import CHUNK, Member, Readable, Tar

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
AUFS = ".wh..wh."
"""What aufs keeps for itself begins with this; no engine of today writes it."""
KINDS = {
    b"0": Kind.FILE,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}


class Place(NamedTuple):
    """Where a tar has the content of a path, and its time. Hard links of one file share the offset."""

    offset: int
    mtime: int
    timed: int | None = None
    """The time that byte code gives for its source."""


class Delta(NamedTuple):
    """One layer: what it has, what it hides of the layers below, and hard links to what is not in it."""

    entries: dict[str, Entry]
    places: dict[str, Place]
    hidden: frozenset[str]
    opaque: frozenset[str]
    links: dict[str, str]


def index(stream: Readable) -> Delta:
    """The index of an uncompressed layer. Reads it once; raises LayerRefused for what no engine would unpack."""
    entries: dict[str, Entry] = {}
    places: dict[str, Place] = {}
    links: dict[str, str] = {}
    hidden: set[str] = set()
    opaque: set[str] = set()
    tar = Tar(stream)
    for member in tar:
        path = normal(member.name)
        name = path.rpartition("/")[2]
        if not path:
            continue
        if WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/")):
            if name == OPAQUE:
                opaque.add(folder(path))
            else:
                hidden.add(whited(path, member))
        elif member.flag == b"1":
            links[path] = normal(member.link)
            entries.pop(path, None)
        else:
            links.pop(path, None)
            entries[path], places[path] = described(path, member, tar)
    while stream.read(CHUNK):
        pass  # what compressed it has its checksum after the tar's end
    return Delta(entries, places, frozenset(hidden), frozenset(opaque), joined(entries, places, links))


def whited(path: str, member: Member) -> str:
    """The path that a whiteout hides; a file that merely has such a name is refused, since no layer can hold it."""
    *above, name = path.split("/")
    hides = name.removeprefix(WHITEOUT)
    strange = any(part.startswith(WHITEOUT) for part in above) or name.startswith(AUFS) or not name.startswith(WHITEOUT)
    if strange or member.flag != b"0" or member.size or hides in ("", ".", ".."):
        raise reserved(path)
    return "/".join((*above, hides))


def reserved(path: str) -> LayerRefused:
    return LayerRefused(f"{shown(path)}: names that begin with .wh. mean a removed file in an image", "give the file another name")


def described(path: str, member: Member, tar: Tar) -> tuple[Entry, Place]:
    kind = KINDS.get(member.flag)
    if kind is None:
        raise LayerRefused(f"{shown(path)} is neither file, directory, link nor device (tar type {member.flag!r})")
    digest = b""
    timed = None
    if kind is Kind.FILE:
        hashed = hashlib.sha256()
        head = b""
        for chunk in tar.content():
            head = head or chunk[:16]
            hashed.update(chunk)
        digest = hashed.digest()
        timed = timed_by(head) if BYTE_CODE.search(path) else None
    mode = 0o777 if kind is Kind.SYMLINK else member.mode
    link = member.link if kind is Kind.SYMLINK else ""
    xattrs = tuple(each for each in member.xattrs if not XATTRS_OF_MACHINES.match(each[0]))
    entry = Entry(kind, mode, member.uid, member.gid, member.size, digest, link, xattrs, member.device)
    return entry, Place(member.offset, member.mtime, timed)


def joined(entries: dict[str, Entry], places: dict[str, Place], links: dict[str, str]) -> dict[str, str]:
    """Gives each hard link the entry and the place of its file, in whatever order they came; returns those whose file is not here."""
    waiting = dict(links)
    while waiting:
        ready = [path for path, target in waiting.items() if target in entries]
        if not ready:
            break
        for path in ready:
            target = waiting.pop(path)
            entries[path], places[path] = entries[target], places[target]
    return waiting
