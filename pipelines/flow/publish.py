"""Publishes an image: all of its blobs, then its manifest by digest. Tags come after, so none is ever half there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass

from pipelines.flow.each import each
from pipelines.flow.reading import blobs_of, understood
from pipelines.model.oci import Descriptor, Document, ImageIndex, ImageManifest, Pinned, Repository
from pipelines.ports import Push, Registry, RegistryFault

AT_ONCE = 4
"""Blobs on their way at once."""
Source = Callable[[Descriptor], AsyncIterator[bytes]]
"""The bytes of one blob, from the start each time it is called."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is to be published: a manifest, and where the bytes of its blobs come from."""

    document: Document
    source: Source


@dataclass(frozen=True, slots=True)
class Published:
    """Where an image stands now, and what it took: blobs and bytes that were sent, not mounted or there already."""

    pinned: Pinned
    blobs: int = 0
    bytes: int = 0


async def publish(registry: Registry, package: Package, into: Repository, parents: Iterable[Repository] = (), tag: str = "") -> Published:
    """Push an image by its digest (or under a tag), blobs mounted from `parents` where they can be. Raises RegistryFault."""
    document = package.document
    manifest = understood(document.digest, document)
    if isinstance(manifest, ImageIndex):
        raise RegistryFault(f"{document.digest} is an index, where an image should be", "publish its images, then the index")
    sent = await push_blobs(registry, manifest, package.source, into, tuple(parents))
    await registry.push_manifest(into, tag or document.digest, document)
    return Published(Pinned(into, document.digest), len(sent), sum(one.size for one in sent))


async def push_blobs(
    registry: Registry, manifest: ImageManifest, source: Source, into: Repository, parents: tuple[Repository, ...] = ()
) -> tuple[Descriptor, ...]:
    """Make all blobs of a manifest be there, some at once; the first failure ends the others. Those that were sent. Raises RegistryFault."""
    return await push_each(registry, [(blob, source) for blob in blobs_of(manifest)], into, parents)


async def push_each(
    registry: Registry, blobs: Collection[tuple[Descriptor, Source]], into: Repository, parents: tuple[Repository, ...] = ()
) -> tuple[Descriptor, ...]:
    """The same for blobs that have sources of their own."""

    async def one(item: tuple[Descriptor, Source]) -> bool:
        blob, source = item
        return await registry.push_blob(into, Push(blob, lambda: source(blob), parents))

    sent = await each(blobs, one, AT_ONCE)
    return tuple(blob for (blob, _), was_sent in zip(blobs, sent, strict=True) if was_sent)
