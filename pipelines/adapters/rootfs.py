"""Root file systems of OCI image layouts (image spec 1.1, image-layout.md), read layer by layer as streams; nothing is unpacked."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path, PurePath
from typing import IO, Any, BinaryIO, Self, cast

from pipelines.core.audit.judge import Evidence
from pipelines.core.audit.look import Look, Seen
from pipelines.core.audit.tree import Hostile, Layer, Tree
from pipelines.core.layer.compress import zstandard
from pipelines.core.layer.entries import LayerRefused
from pipelines.model.audit import Elf, Entry, EntryKind
from pipelines.model.oci import DOCKER_LIST, INDEX
from pipelines.ports import Unreadable

MAX_DOCUMENT = 4 << 20
"""Largest manifest, index or configuration, in bytes (distribution spec)."""
MAX_UNPACKED = 128 << 30
"""Bytes that all layers of an image may unpack to."""
MAX_ENTRIES = 4_000_000
MAX_HEADER = 1 << 20
"""Bytes that one extended header of a tar may have: a path and its attributes, not a place to hide gigabytes."""
MAX_KEPT = 2 << 30
"""Bytes of sources and settings that are kept while an image is audited."""
IN_MEMORY = 4 << 20
CHUNK = 1 << 20
MAX_DEPTH = 4
"""Indexes that may point to one another."""
_EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})


class LayoutRoots:
    """Reads layouts on the local disk. `scratch` is where files that are looked at lie for a moment; by default the system's folder for that."""

    def __init__(self, scratch: PurePath | None = None) -> None:
        self.scratch = str(scratch) if scratch is not None else None

    @asynccontextmanager
    async def read(self, layout: PurePath, look: Look, platform: str = "linux/amd64") -> AsyncIterator[Evidence]:
        """See ports.Roots.read."""
        with ExitStack() as stack:
            kept = stack.enter_context(tempfile.TemporaryFile(dir=self.scratch))
            yield await asyncio.to_thread(_Reading(Path(layout), look, kept, self.scratch).all, platform)


class _Reading:
    """One image while it is read."""

    def __init__(self, layout: Path, look: Look, kept: IO[bytes], scratch: str | None) -> None:
        self.layout, self.look, self.kept, self.scratch = layout, look, kept, scratch
        self.places: dict[int, tuple[int, int]] = {}
        self.elves: dict[int, Elf] = {}
        self.faults: dict[int, str] = {}
        self.contents = 0
        self.entries = 0
        self.unpacked = 0

    def all(self, platform: str) -> Evidence:
        manifest = self._manifest(platform)
        config = self._document(manifest.get("config"), "configuration")
        tree = Tree()
        for number, descriptor in enumerate(_list(manifest.get("layers")), 1):
            blob = self._blob(descriptor)
            try:
                tree.stack(self._layer(blob))
            except Hostile as fault:
                raise Unreadable(f"layer {number} of {self.layout} is refused: {fault}") from None
            except LayerRefused as fault:
                raise Unreadable(f"layer {number} of {self.layout} cannot be read: {fault}", fault.fix) from None
            except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as fault:
                raise Unreadable(f"layer {number} of {self.layout} cannot be read: {fault}") from fault
        faults = {path: self.faults[entry.content] for path, entry in tree.entries.items() if entry.content in self.faults}

        def read(path: str) -> bytes | None:
            entry = tree.entries.get(path)
            place = self.places.get(entry.content) if entry is not None else None
            return os.pread(self.kept.fileno(), place[1], place[0]) if place is not None else None

        return Evidence(tree, self.elves, faults, read, _environment(config))

    def _layer(self, blob: Path) -> Layer:
        layer = Layer()
        by_name: dict[str, Entry] = {}
        with _opened(blob) as raw, _tar(_Counted(self, raw)) as tar:
            for member in tar:
                cast("Any", tar).members.clear()  # or it remembers every one
                self.entries += 1
                if self.entries > MAX_ENTRIES:
                    raise Hostile(f"there are more than {MAX_ENTRIES} entries")
                name = member.name.strip("/")
                entry = by_name.get(member.linkname.removeprefix("./").strip("/")) if member.islnk() else self._entry(tar, member)
                if entry is not None:
                    by_name[name.removeprefix("./")] = entry
                    layer.put(name, entry)
        self.kept.flush()
        return layer

    def _entry(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
        if member.isdir():
            return Entry(EntryKind.FOLDER)
        if member.issym():
            return Entry(EntryKind.LINK, target=member.linkname)
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None:
            return Entry(EntryKind.OTHER)
        self.contents += 1
        with _Window(stream, member.size, self.scratch) as window:
            seen = self.look(member.name.removeprefix("./").strip("/"), member.size, window.at)
            self._take(seen, window, member.size)
        return Entry(EntryKind.FILE, member.size, content=self.contents)

    def _take(self, seen: Seen, window: _Window, size: int) -> None:
        if seen.elf is not None:
            self.elves[self.contents] = seen.elf
        if seen.fault:
            self.faults[self.contents] = seen.fault
        if seen.keep:
            start = self.kept.tell()
            if start + size > MAX_KEPT:
                raise Hostile(f"there are more than {MAX_KEPT >> 20} MiB of sources")
            self.kept.write(window.at(0, size))
            self.places[self.contents] = (start, size)

    def _manifest(self, platform: str) -> Mapping[str, Any]:
        document = self._json(self.layout / "index.json", "index")
        for _ in range(MAX_DEPTH):
            manifests = _list(document.get("manifests"))
            if not manifests:
                raise Unreadable(f"{self.layout} has no image in its index")
            fitting = [one for one in manifests if _platform(one) in {platform, ""}] or manifests[: len(manifests) == 1]
            if not fitting:
                raise Unreadable(f"{self.layout} has no image for {platform}")
            document = self._document(fitting[0], "manifest")
            if fitting[0].get("mediaType") not in {INDEX, DOCKER_LIST} and "manifests" not in document:
                return document
        raise Unreadable(f"{self.layout} has indexes in indexes in indexes")

    def _document(self, descriptor: object, what: str) -> Mapping[str, Any]:
        if not isinstance(descriptor, dict):
            raise Unreadable(f"{self.layout} says nothing of its {what}")
        return self._json(self._blob(descriptor), what)

    def _json(self, path: Path, what: str) -> Mapping[str, Any]:
        try:
            if path.stat().st_size > MAX_DOCUMENT:
                raise Unreadable(f"the {what} of {self.layout} is larger than {MAX_DOCUMENT >> 20} MiB")
            document = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as fault:
            raise Unreadable(f"the {what} of {self.layout} cannot be read: {fault}", "is it an OCI image layout?") from fault
        if not isinstance(document, dict):
            raise Unreadable(f"the {what} of {self.layout} is no JSON object")
        return document

    def _blob(self, descriptor: Mapping[str, Any]) -> Path:
        algorithm, _, value = str(descriptor.get("digest", "")).partition(":")
        if not (algorithm.isalnum() and value.isalnum() and value.isascii() and algorithm.isascii()):
            raise Unreadable(f"{self.layout} names a blob by {str(descriptor.get('digest'))[:100]!r}, which is no digest")
        return self.layout / "blobs" / algorithm / value


class _Header(tarfile.TarInfo):
    """A header of a tar that does not have the next one read into memory whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > MAX_HEADER:
            raise Hostile(f"an extended header claims {header.size} bytes")
        return header


class _Counted:
    """The unpacked bytes of a layer, no more of them than an image may have."""

    def __init__(self, reading: _Reading, stream: BinaryIO) -> None:
        self.reading, self.stream = reading, stream

    def read(self, size: int) -> bytes:
        block = self.stream.read(size)
        self.reading.unpacked += len(block)
        if self.reading.unpacked > MAX_UNPACKED:
            raise Hostile(f"the layers unpack to more than {MAX_UNPACKED >> 30} GiB")
        return block


class _Window:
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


def _tar(stream: _Counted) -> tarfile.TarFile:
    """A tar that is read from start to end; `read` is all that it asks of its stream."""
    return tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", tarinfo=_Header, encoding="utf-8", bufsize=CHUNK)


def _opened(blob: Path) -> BinaryIO:
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


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _platform(descriptor: Mapping[str, Any]) -> str:
    said = descriptor.get("platform")
    if not isinstance(said, dict):
        return ""
    return "/".join(str(said[key]) for key in ("os", "architecture", "variant") if said.get(key))


def _environment(config: Mapping[str, Any]) -> dict[str, str]:
    run = config.get("config")
    pairs: Iterator[object] = iter(run.get("Env") or ()) if isinstance(run, dict) else iter(())
    return {name: value for pair in pairs if isinstance(pair, str) for name, _, value in (pair.partition("="),)}
