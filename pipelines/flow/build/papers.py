"""Papers: what goes with an image - SBOM, provenance, verdict - as referrers, and how they are found again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from pipelines.core.attestation import NOTHING, referrer
from pipelines.core.manifest import decode
from pipelines.core.tally import digest_of
from pipelines.flow.attach import attach
from pipelines.flow.publish import Package
from pipelines.flow.reading import read_document
from pipelines.model.oci import Descriptor, ImageManifest, Pinned, Repository
from pipelines.model.trust import CYCLONEDX, IN_TOTO
from pipelines.ports import Registry, RegistryFault

LARGEST = 64 << 20
"""Bytes of one paper."""


class Paper:
    """One document about an image: its artifact type, its bytes, what annotations say of it."""

    def __init__(self, artifact_type: str, data: bytes, notes: dict[str, str] | None = None) -> None:
        self.artifact_type, self.data, self.notes = artifact_type, data, notes or {}
        self.descriptor = Descriptor(artifact_type, digest_of(data), len(data))


def sbom(data: bytes) -> Paper:
    """The SBOM, as it stands beside the image."""
    return Paper(CYCLONEDX, data)


def statement(data: bytes, predicate_type: str) -> Paper:
    """A statement that nobody has signed yet."""
    return Paper(IN_TOTO, data, {"in-toto.io/predicate-type": predicate_type})


async def put(
    registry: Registry, image: Pinned, papers: Sequence[Paper], parents: tuple[Repository, ...] = (), *, is_new: bool = False
) -> None:
    """Attach papers to an image that is there. What is there already, or in one of `parents`, is not sent again. Raises RegistryFault."""
    found = await registry.head(image.repository, image.digest)
    if found is None:
        raise RegistryFault(f"{image} is not there", "push the image first", status=404)
    await attach(registry, image, [_package(found, paper) for paper in papers], parents, is_new=is_new)


def _package(image: Descriptor, paper: Paper) -> Package:
    blobs = {paper.descriptor.digest: paper.data, digest_of(NOTHING): NOTHING}
    subject = Descriptor(image.media_type, image.digest, image.size)
    return Package(referrer(subject, paper.descriptor, paper.artifact_type, paper.notes), lambda blob: _bytes(blobs[blob.digest])())


def _bytes(data: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    return chunks


async def find(registry: Registry, image: Pinned, artifact_type: str) -> tuple[bytes, ...]:
    """The papers of a type that are attached to an image, in the order of the registry's list. Raises RegistryFault."""
    listed = [one for one in await registry.referrers(image.repository, image.digest) if one.artifact_type == artifact_type]
    return tuple([await _read(registry, image, one) for one in listed])


async def _read(registry: Registry, image: Pinned, listed: Descriptor) -> bytes:
    manifest = decode(await read_document(registry, image.repository, listed.digest))
    if not isinstance(manifest, ImageManifest) or len(manifest.layers) != 1 or manifest.layers[0].size > LARGEST:
        raise RegistryFault(f"{listed.digest[:19]}, which is attached to {image}, is not one document of at most {LARGEST >> 20} MiB")
    return b"".join([chunk async for chunk in registry.blob(image.repository, manifest.layers[0])])
