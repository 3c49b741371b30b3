"""Copies an image by its digest from one repository to another, of any host, byte for byte and without touching the disk."""

from __future__ import annotations

from pipelines.flow.publish import Package, Published, publish
from pipelines.flow.reading import read_document, read_image, understood
from pipelines.model.oci import Document, ImageIndex, Pinned, Repository
from pipelines.ports import Registry, RegistryFault

DEEPEST = 3
"""Indexes within indexes."""


async def mirror(registry: Registry, source: Pinned, into: Repository, platform: str = "") -> Published:
    """The image of one platform, or without `platform` all that the digest names. Blobs are mounted within one host. Raises RegistryFault."""
    if platform:
        image = await read_image(registry, source.repository, source.digest, platform)
        return await _copy(registry, source.repository, image.document, into)
    return await _copy_all(registry, source.repository, await read_document(registry, source.repository, source.digest), into, DEEPEST)


async def _copy_all(registry: Registry, source: Repository, document: Document, into: Repository, depth: int) -> Published:
    """An index goes after what it names."""
    index = understood(f"{source}@{document.digest}", document)
    if not isinstance(index, ImageIndex):
        return await _copy(registry, source, document, into)
    if not depth:
        raise RegistryFault(f"{source}@{document.digest}: indexes within indexes, more than {DEEPEST} deep")
    blobs = size = 0
    for one in index.manifests:
        copied = await _copy_all(registry, source, await read_document(registry, source, one.digest), into, depth - 1)
        blobs, size = blobs + copied.blobs, size + copied.bytes
    await registry.push_manifest(into, document.digest, document)
    return Published(Pinned(into, document.digest), blobs, size)


async def _copy(registry: Registry, source: Repository, document: Document, into: Repository) -> Published:
    return await publish(registry, Package(document, lambda blob: registry.blob(source, blob)), into, (source,))
