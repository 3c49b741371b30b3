"""Publishes an image: all of its blobs, then its manifest by digest. Tags come after, so none is ever half there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass

from pipelines.flow.each import each
from pipelines.flow.reading import blobs_of, understood
from pipelines.model.oci import Descriptor, Document, ImageIndex, Pinned, Repository
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


async def publish(
    registry: Registry, package: Package, into: Repository, parents: Iterable[Repository] = (), tag: str = "", *, is_new: bool = False
) -> Published:
    """Push an image by its digest (or under a tag), blobs mounted from `parents` where they can be. Raises RegistryFault."""
    document = package.document
    manifest = understood(document.digest, document)
    if isinstance(manifest, ImageIndex):
        raise RegistryFault(f"{document.digest} is an index, where an image should be", "publish its images, then the index")
    blobs = [(blob, package.source) for blob in blobs_of(manifest)]
    sent = await push_blobs(registry, blobs, into, tuple(parents), is_new=is_new)
    await registry.push_manifest(into, tag or document.digest, document)
    return Published(Pinned(into, document.digest), len(sent), sum(one.size for one in sent))


async def push_blobs(
    registry: Registry,
    blobs: Collection[tuple[Descriptor, Source]],
    into: Repository,
    parents: tuple[Repository, ...] = (),
    *,
    is_new: bool = False,
) -> tuple[Descriptor, ...]:
    """Make all of these be there, some at once; the first failure ends the others. Those that were sent. Raises RegistryFault.

    `is_new`: what `parents` do not have was made just now.
    """

    async def one(item: tuple[Descriptor, Source]) -> bool:
        blob, source = item
        return await registry.push_blob(into, Push(blob, lambda: source(blob), parents, is_new))

    sent = await each(blobs, one, AT_ONCE)
    return tuple(blob for (blob, _), was_sent in zip(blobs, sent, strict=True) if was_sent)
