"""A registry that keeps to itself what is written: reads come from the real one, writes stay in the store of this machine and in memory.

For builds that may not push, such as those of a fork's pull request: everything is built and judged, and no registry sees any of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipelines.adapters.layouts.store import Store
from pipelines.core import referrers as lists
from pipelines.core.manifest import BadManifest, decode
from pipelines.core.tally import Tally
from pipelines.model.oci import Descriptor, Document, ImageManifest, Repository
from pipelines.model.reference import is_digest
from pipelines.ports import Push, Registry, RegistryFault, WrongDigest


class Overlay:
    """The port Registry, over another one. What it was given is gone with it; blobs stay in the store."""

    def __init__(self, under: Registry, store: Store) -> None:
        self._under, self._store = under, store
        self._blobs: dict[tuple[Repository, str], Repository | None] = {}
        """Where the bytes of a blob are: in a repository of the registry below, or (None) in the store."""
        self._manifests: dict[tuple[Repository, str], Document] = {}
        """By digest, and by tag."""

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        """What was written here first."""
        found = self._manifests.get((repository, reference))
        return Descriptor(found.media_type, found.digest, len(found.body)) if found else await self._under.head(repository, reference)

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """What was written here first."""
        return self._manifests.get((repository, reference)) or await self._under.manifest(repository, reference)

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Out of the store, or of whichever repository has it."""
        source = self._blobs.get((repository, descriptor.digest), repository)
        chunks = self._store.chunks(descriptor) if source is None else self._under.blob(source, descriptor)
        async for chunk in chunks:
            yield chunk

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """Here, or below."""
        return (repository, digest) in self._blobs or await self._under.has_blob(repository, digest)

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        """Noted where the store or another repository has it, else stored. Never sent."""
        digest = push.descriptor.digest
        if (repository, digest) in self._blobs:
            return False
        if self._store.has(push.descriptor):
            self._blobs[repository, digest] = None
            return False
        for source in push.mount_from:
            if await self.has_blob(source, digest):
                self._blobs[repository, digest] = self._blobs.get((source, digest), source)
                return False
        await self._kept(push)
        self._blobs[repository, digest] = None
        return False

    async def _kept(self, push: Push) -> None:
        self._store.require(push.descriptor.size)
        tally = Tally(push.descriptor)
        with self._store.scratch() as file:
            async for chunk in push.chunks():
                tally.add(chunk)
                file.write(chunk)
            if tally.complaint:
                raise WrongDigest(f"what should be kept as {push.descriptor.digest}: {tally.complaint}", "nothing of it was used")
            self._store.keep(file, push.descriptor.digest)

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        """Refused unless all that it names is there, as a registry would."""
        try:
            value = decode(document)
        except BadManifest as wrong:
            raise RegistryFault(f"{repository} refused a manifest: {wrong}", wrong.fix, status=400, code="MANIFEST_INVALID") from None
        if isinstance(value, ImageManifest):
            missing = [one.digest for one in (value.config, *value.layers) if not await self.has_blob(repository, one.digest)]
        else:
            missing = [one.digest for one in value.manifests if not await self.head(repository, one.digest)]
        if missing:
            raise RegistryFault(f"{repository} has no {missing[0]}", "push it first", status=404, code="MANIFEST_BLOB_UNKNOWN")
        self._manifests[repository, document.digest] = document
        self._manifests[repository, reference] = document

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """What was attached here, and where the image itself is the registry's own, there."""
        own = {
            one.digest: lists.entry(one) for one in self._own(repository) if (subject := decode(one).subject) and subject.digest == digest
        }
        below = () if (repository, digest) in self._manifests else await self._under.referrers(repository, digest)
        return (*own.values(), *(one for one in below if one.digest not in own))

    def _own(self, repository: Repository) -> list[Document]:
        return [one for (at, reference), one in self._manifests.items() if at == repository and is_digest(reference)]

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """Kept beside the image."""
        for document in documents:
            await self.push_manifest(repository, document.digest, document)
        return frozenset(document.digest for document in documents)

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """Those below, and those that were put here."""
        own = {reference for at, reference in self._manifests if at == repository and not is_digest(reference)}
        return tuple(sorted({*own, *await self._under.tags(repository)}))

    async def delete(self, repository: Repository, reference: str) -> bool:
        """Only what was written here can go."""
        return self._manifests.pop((repository, reference), None) is not None

    async def close(self) -> None:
        """Close the registry below."""
        await self._under.close()
