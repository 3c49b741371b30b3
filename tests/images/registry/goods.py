"""Images for tests of registries: small, real, different each time."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable

from pipelines.core.manifest import encode
from pipelines.model.oci import CONFIG, EMPTY, LAYER, Descriptor, Document, ImageConfig, ImageIndex, ImageManifest, Repository
from pipelines.ports import Push, Registry


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def described(body: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor(media_type, digest(body), len(body))


def chunks(body: bytes, size: int = 1000) -> Callable[[], AsyncIterator[bytes]]:
    async def give() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            await asyncio.sleep(0)
            yield body[start : start + size]

    return give


def push_of(body: bytes, *mount_from: Repository, media_type: str = LAYER) -> Push:
    return Push(described(body, media_type), chunks(body), mount_from)


class Image:
    """An image of some layers, and all its blobs."""

    def __init__(self, *layers: bytes, architecture: str = "amd64") -> None:
        self.layers = layers or (os.urandom(3000), os.urandom(100))
        self.config = encode(ImageConfig(architecture, "linux", tuple(map(digest, self.layers)), {"User": "fleet"}))
        self.document = encode(ImageManifest(described(self.config.body, CONFIG), tuple(map(described, self.layers))))
        self.blobs = {digest(body): body for body in (self.config.body, *self.layers)}

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(self.document.media_type, self.document.digest, len(self.document.body))

    def chunks(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        return chunks(self.blobs[descriptor.digest])()

    async def into(self, registry: Registry, repository: Repository, *tags: str) -> Image:
        for body in self.blobs.values():
            await registry.push_blob(repository, push_of(body))
        for reference in tags or (self.document.digest,):
            await registry.push_manifest(repository, reference, self.document)
        return self


def index(**images: Image) -> Document:
    """An index, `amd64=image`."""
    return encode(
        ImageIndex(
            tuple(
                Descriptor(image.document.media_type, image.document.digest, len(image.document.body), platform=f"linux/{name}")
                for name, image in images.items()
            )
        )
    )


def attachment(subject: Descriptor, kind: str = "application/vnd.example.sbom", note: str = "") -> Document:
    """An artifact without layers that is attached to something."""
    empty = Descriptor(EMPTY, digest(b"{}"), 2)
    return encode(ImageManifest(empty, (empty,), artifact_type=kind, subject=subject, annotations={"note": note} if note else {}))


async def gather(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])
