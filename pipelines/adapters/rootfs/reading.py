"""Reading: one image from its layout, each layer once."""

from __future__ import annotations

import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from pipelines.adapters.rootfs.streams import Counted, Window, opened, tar
from pipelines.core.audit.evidence import Evidence
from pipelines.core.audit.look import Look, Seen
from pipelines.core.audit.tree import Hostile, Layer, Tree
from pipelines.core.layer.entries import LayerRefused
from pipelines.model.audit import Elf, Entry, EntryKind
from pipelines.model.oci import DOCKER_LIST, INDEX
from pipelines.ports import Unreadable

MAX_DOCUMENT = 4 << 20
"""Largest manifest, index or configuration, in bytes (distribution spec)."""
MAX_UNPACKED = 128 << 30
"""Bytes that all layers of an image may unpack to."""
MAX_ENTRIES = 4_000_000
MAX_KEPT = 2 << 30
"""Bytes of sources and settings that are kept while an image is audited."""
MAX_DEPTH = 4
"""Indexes that may point to one another."""


class Reading:
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
        with opened(blob) as raw, tar(Counted(raw, self._count)) as archive:
            for member in archive:
                cast("Any", archive).members.clear()  # or it remembers every one
                self.entries += 1
                if self.entries > MAX_ENTRIES:
                    raise Hostile(f"there are more than {MAX_ENTRIES} entries")
                name = member.name.strip("/")
                entry = by_name.get(member.linkname.removeprefix("./").strip("/")) if member.islnk() else self._entry(archive, member)
                if entry is not None:
                    by_name[name.removeprefix("./")] = entry
                    layer.put(name, entry)
        self.kept.flush()
        return layer

    def _count(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > MAX_UNPACKED:
            raise Hostile(f"the layers unpack to more than {MAX_UNPACKED >> 30} GiB")

    def _entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
        if member.isdir():
            return Entry(EntryKind.FOLDER)
        if member.issym():
            return Entry(EntryKind.LINK, target=member.linkname)
        stream = archive.extractfile(member) if member.isreg() else None
        if stream is None:
            return Entry(EntryKind.OTHER)
        self.contents += 1
        with Window(stream, member.size, self.scratch) as window:
            seen = self.look(member.name.removeprefix("./").strip("/"), member.size, window.at)
            self._take(seen, window, member.size)
        return Entry(EntryKind.FILE, member.size, content=self.contents)

    def _take(self, seen: Seen, window: Window, size: int) -> None:
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
