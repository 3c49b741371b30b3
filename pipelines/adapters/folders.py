"""Reads an OCI image layout folder (image specification, image-layout.md): the manifest that it holds, and its blobs as streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path, PurePath

from pipelines.core.manifest import LIMIT, BadManifest, parse, read_descriptor
from pipelines.core.tally import digest_of
from pipelines.model.oci import Descriptor, Document

PIECE = 1 << 20


class Folder:
    """One layout. What is read is checked by whoever uploads it; the manifest is checked here."""

    def __init__(self, root: PurePath) -> None:
        self._root = Path(root)

    def document(self) -> Document:
        """The manifest that its index names; raises BadManifest unless it is exactly one, and OSError."""
        manifests = parse(self._read(self._root / "index.json")).get("manifests")
        if not isinstance(manifests, list) or len(manifests) != 1:
            raise BadManifest(f"{self._root / 'index.json'} should name one image")
        descriptor = read_descriptor(manifests[0], "manifests[0]")
        body = self._read(self._path(descriptor))
        if digest_of(body, descriptor.digest.partition(":")[0]) != descriptor.digest:
            raise BadManifest(f"{self._path(descriptor)} is not what its name says")
        return Document(descriptor.media_type, descriptor.digest, body)

    async def source(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """The bytes of one blob, 1 MiB at a time; raises OSError."""
        with self._path(descriptor).open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece

    def _path(self, descriptor: Descriptor) -> Path:
        algorithm, _, digits = descriptor.digest.partition(":")
        return self._root / "blobs" / algorithm / digits

    @staticmethod
    def _read(path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
