"""Puts images together from a parent's layers and a builder's changes, and writes them as OCI layout folders (image-layout.md)."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from pipelines.adapters.layouts.content import content
from pipelines.adapters.layouts.indexes import Indexes
from pipelines.adapters.layouts.packing import in_thread, pack, stored
from pipelines.adapters.layouts.store import Store
from pipelines.core.config import Image, checked, documents, empty, extended
from pipelines.core.image_config import decode_config
from pipelines.core.layer.change import canonical
from pipelines.core.layer.entries import Entry, Kind
from pipelines.core.layer.index import index
from pipelines.core.layer.tar import BLOCK
from pipelines.core.layer.write import heading
from pipelines.core.manifest import BadManifest, decode, descriptor
from pipelines.core.platforms import choose
from pipelines.model.oci import Descriptor, ImageIndex, Pinned, Repository
from pipelines.ports import Made, Registry, RegistryFault
from reconciler.model.canonical import dumps

AT_ONCE = 4
"""Blobs of one image that are fetched at the same time."""


class Layouts:
    """Images in the making. Whatever a method returns has its new blobs in the store, ready to be pushed or laid out."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self._registry = registry
        self._indexes = Indexes(store)

    async def parent(self, pinned: Pinned | None, platform: str) -> Image:
        """What an image starts from: manifest and configuration; of an index the image for the platform, `linux/amd64`.

        Raises RegistryFault, also where nothing is there; BadManifest for what is no image.
        """
        if pinned is None:
            return empty(platform)
        found = await self._registry.manifest(pinned.repository, pinned.digest)
        if found is None:
            raise RegistryFault(f"{pinned} is not there", "push the parent again, or name another digest", status=404)
        manifest = decode(found)
        if isinstance(manifest, ImageIndex):
            return await self.parent(Pinned(pinned.repository, choose(manifest, platform).digest), platform)
        body = await asyncio.to_thread((await self.store.fetch(self._registry, pinned.repository, manifest.config)).read_bytes)
        image = checked(Image(manifest, decode_config(body)), str(pinned))
        if platform.split("/")[:2] != [image.config.os, image.config.architecture]:
            raise BadManifest(
                f"{pinned} is for {image.config.os}/{image.config.architecture}, not for {platform}", "name the digest of an index"
            )
        return image

    async def extend(
        self, parent: Image, repository: Repository | None, made: Made, source_date: int, split: tuple[str, ...] = ()
    ) -> Image:
        """The parent and what a builder made of it. `repository` has the parent's blobs; the ones that no index covers are fetched.

        `source_date` in seconds; `split`: prefixes of paths that get layers of their own. Raises BuildFailed, RegistryFault.
        """
        layers = parent.manifest.layers
        await self._have(repository, await asyncio.to_thread(self._indexes.missing, layers))

        def work(stop: Any) -> Image:
            tree = self._indexes.tree(layers)
            return extended(parent, pack(self.store, Path(made.changes), tree, source_date, split, stop), made.run)

        return self._kept(await in_thread(work))

    async def with_file(self, image: Image, path: str, body: bytes, source_date: int) -> Image:
        """The image with one more layer, which has one file of root's that all can read. The blobs of its layers must be here."""

        def work(stop: Any) -> Image:
            entry = Entry(Kind.FILE, 0o644, 0, 0, len(body), sha256(body).digest())
            raw = io.BytesIO(heading(path.lstrip("/"), entry, source_date) + body + bytes(-len(body) % BLOCK))
            layers = canonical(index(raw), self._indexes.tree(image.manifest.layers), source_date)
            return extended(image, [stored(self.store, layer, raw, stop) for layer in layers])

        return self._kept(await in_thread(work))

    async def write(self, image: Image, repository: Repository | None, into: PurePath) -> Descriptor:
        """Write an image as a layout folder, in place of what is at `into`; what `repository` alone has of it is fetched. Its descriptor.

        Raises BuildFailed where a layer is not what the image says, RegistryFault.
        """
        await self._have(repository, image.manifest.layers)
        return await in_thread(lambda _: self._write(image, Path(into)))

    async def read(self, image: Image, path: str) -> bytes | None:
        """A file of an image by its path from the root, without links; None where none is. The blobs of its layers must be here.

        Raises BuildFailed.
        """
        return await in_thread(lambda _: content(self.store, self._indexes, image.manifest.layers, path))

    def blob(self, found: Descriptor) -> AsyncIterator[bytes]:
        """The bytes of a blob that is here."""
        return self.store.chunks(found)

    async def _have(self, repository: Repository | None, layers: Iterable[Descriptor]) -> None:
        missing = [layer for layer in dict.fromkeys(layers_of(layers)) if not self.store.has(Descriptor(*layer))]
        if missing and repository is None:
            raise RegistryFault(f"blob {missing[0][1]} is not on this machine, and no repository is named that has it", status=404)
        self.store.require(sum(size for _, _, size in missing))
        gate = asyncio.Semaphore(AT_ONCE)

        async def fetch(found: Descriptor) -> None:
            async with gate:
                await self.store.fetch(self._registry, repository or Repository("", ""), found)

        try:
            async with asyncio.TaskGroup() as group:
                for layer in missing:
                    group.create_task(fetch(Descriptor(*layer)))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def _kept(self, image: Image) -> Image:
        found = documents(image)
        self.store.add(found.config)
        self.store.add(found.manifest)
        return image

    def _write(self, image: Image, into: Path) -> Descriptor:
        self._indexes.must_be_true(image)
        found = documents(image)
        manifest = self.store.add(found.manifest)
        blobs = (manifest, self.store.add(found.config), *image.manifest.layers)
        into.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}-") as scratch:
            made = Path(scratch) / "layout"
            (made / "blobs" / "sha256").mkdir(parents=True)
            for blob in {blob.digest for blob in blobs}:
                link(self.store.path(blob), made / "blobs" / "sha256" / self.store.path(blob).name)
            (made / "oci-layout").write_bytes(dumps({"imageLayoutVersion": "1.0.0"}))
            (made / "index.json").write_bytes(dumps(contents(manifest)))
            if into.exists():
                into.rename(Path(scratch) / "before")
            made.rename(into)
        return manifest


def contents(manifest: Descriptor) -> Mapping[str, Any]:
    return {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor(manifest)]}


def layers_of(layers: Iterable[Descriptor]) -> list[tuple[str, str, int]]:
    """Descriptors as something that can be a key."""
    return [(layer.media_type, layer.digest, layer.size) for layer in layers]


def link(blob: Path, into: Path) -> None:
    """Hard-link a blob, or copy it to another file system."""
    try:
        os.link(blob, into)
    except OSError:
        shutil.copyfile(blob, into)
