"""Reads an image from a registry: its manifest for a platform, its configuration, and whether all of its blobs are there."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.core.image_config import decode_config
from pipelines.core.manifest import LIMIT, BadManifest, decode
from pipelines.core.platforms import choose
from pipelines.flow.each import each
from pipelines.model.oci import Descriptor, Document, ImageConfig, ImageIndex, ImageManifest, Pinned, Repository
from pipelines.ports import Registry, RegistryFault

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one platform, as a registry has it."""

    pinned: Pinned
    document: Document
    manifest: ImageManifest


async def read_document(registry: Registry, repository: Repository, reference: str) -> Document:
    """A manifest or index that has to be there; RegistryFault with status 404 where it is not."""
    document = await registry.manifest(repository, reference)
    if document is None:
        separator = "@" if ":" in reference else ":"
        raise RegistryFault(f"{repository}{separator}{reference} is not there", "it was never pushed, or has been deleted", status=404)
    return document


def understood(place: object, document: Document) -> ImageManifest | ImageIndex:
    """What a document says; RegistryFault where that cannot be understood."""
    try:
        return decode(document)
    except BadManifest as wrong:
        raise RegistryFault(f"{place}: {wrong}", wrong.fix) from None


async def read_image(registry: Registry, repository: Repository, reference: str, platform: str) -> Image:
    """The image that a tag or digest stands for, on a platform; through an index if that is what it is. Raises RegistryFault."""
    document = await read_document(registry, repository, reference)
    value = understood(f"{repository} {reference}", document)
    if isinstance(value, ImageIndex):
        try:
            document = await read_document(registry, repository, choose(value, platform).digest)
        except BadManifest as wrong:
            raise RegistryFault(f"{repository} {reference}: {wrong}", wrong.fix) from None
        value = understood(f"{repository} {reference}", document)
        if isinstance(value, ImageIndex):
            raise RegistryFault(f"{repository} {reference}: an index of indexes, where an image for {platform} should be")
    return Image(Pinned(repository, document.digest), document, value)


async def read_config(registry: Registry, image: Image) -> ImageConfig:
    """Its configuration, which must have as many layers as its manifest. Raises RegistryFault."""
    descriptor = image.manifest.config
    if descriptor.size > LIMIT:
        raise RegistryFault(f"{image.pinned}: a configuration of {descriptor.size} bytes", f"{LIMIT} are the most that we read")
    body = b"".join([piece async for piece in registry.blob(image.pinned.repository, descriptor)])
    try:
        config = decode_config(body)
    except BadManifest as wrong:
        raise RegistryFault(f"{image.pinned}: {wrong}", wrong.fix) from None
    if len(config.diff_ids) != len(image.manifest.layers):
        raise RegistryFault(f"{image.pinned}: {len(image.manifest.layers)} layers, and a configuration for {len(config.diff_ids)}")
    return config


def blobs_of(manifest: ImageManifest) -> tuple[Descriptor, ...]:
    """Configuration and layers, each once."""
    return tuple({one.digest: one for one in (*manifest.layers, manifest.config)}.values())


async def missing_blobs(registry: Registry, image: Image) -> tuple[Descriptor, ...]:
    """Blobs that its manifest names and the registry no longer has. Raises RegistryFault."""
    blobs = blobs_of(image.manifest)
    there = await each(blobs, lambda blob: registry.has_blob(image.pinned.repository, blob.digest), AT_ONCE)
    return tuple(blob for blob, is_there in zip(blobs, there, strict=True) if not is_there)
