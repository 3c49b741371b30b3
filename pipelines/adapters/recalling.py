"""A registry that is not asked again for what cannot have changed: within one run, what a digest means and what we put somewhere ourselves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from pipelines.core.tally import digest_of
from pipelines.model.oci import Descriptor, Document, Repository
from pipelines.model.reference import is_digest
from pipelines.ports import Push, Registry, RegistryFault

SMALL = 1 << 20
"""Bytes of a blob that is kept: configurations and papers are, layers are not."""
MOST = 64 << 20
"""Bytes that are kept of all blobs together."""


class Recalling:
    """The port Registry, over another one. Tags and lists of what is attached are anybody's, and looked up each time.

    Whoever removes what this run saw or put there is noticed by the registry, which refuses a manifest without its blobs.
    """

    def __init__(self, under: Registry) -> None:
        self._under = under
        self._documents: dict[tuple[Repository, str], Document] = {}
        self._there: set[tuple[Repository, str]] = set()
        """Blobs that a repository has."""
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        """Asked for tags, and for digests that were not seen there."""
        known = self._documents.get((repository, reference))
        return Descriptor(known.media_type, known.digest, len(known.body)) if known else await self._under.head(repository, reference)

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """Asked for tags, and for digests that were not seen there."""
        if known := self._documents.get((repository, reference)):
            return known
        found = await self._under.manifest(repository, reference)
        if found and found.digest == reference:
            self._documents[repository, reference] = found
        return found

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Small ones from here, where the repository is known to have them."""
        place, body = (repository, descriptor.digest), self._bodies.get(descriptor.digest)
        if body is not None and place in self._there and len(body) == descriptor.size:
            self._bodies.move_to_end(descriptor.digest)
            yield body
            return
        async with aclosing(self._noted(descriptor, self._under.blob(repository, descriptor))) as chunks:
            async for chunk in chunks:
                yield chunk
        self._there.add(place)

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """Asked until it is there."""
        place = repository, digest
        if place not in self._there and await self._under.has_blob(repository, digest):
            self._there.add(place)
        return place in self._there

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        """Once for each repository."""
        place = repository, push.descriptor.digest
        if place in self._there:
            return False
        sent = await self._under.push_blob(repository, replace(push, chunks=lambda: self._noted(push.descriptor, push.chunks())))
        self._there.add(place)
        return sent

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        """Once under its digest, and whenever it is asked for under a tag. A refusal shows that what was known of the repository is not so."""
        if is_digest(reference) and (repository, reference) in self._documents:
            return
        try:
            await self._under.push_manifest(repository, reference, document)
        except RegistryFault:
            self._forget(repository)
            raise
        self._documents[repository, document.digest] = document

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Asked each time."""
        return await self._under.referrers(repository, digest)

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """Passed on."""
        listed = await self._under.attach(repository, *documents)
        for document in documents:
            self._documents[repository, document.digest] = document
        return listed

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """Asked each time."""
        return await self._under.tags(repository)

    async def delete(self, repository: Repository, reference: str) -> bool:
        """Passed on."""
        self._forget(repository)
        return await self._under.delete(repository, reference)

    async def close(self) -> None:
        """Close the registry below."""
        await self._under.close()

    def _forget(self, repository: Repository) -> None:
        self._documents = {place: document for place, document in self._documents.items() if place[0] != repository}
        self._there = {place for place in self._there if place[0] != repository}

    async def _noted(self, descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The same chunks; of a small blob they are kept once all have come and are what the digest says."""
        body = bytearray()
        try:
            async for chunk in chunks:
                if descriptor.size <= SMALL:
                    body += chunk
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if len(body) == descriptor.size:
            self._keep(descriptor.digest, bytes(body))

    def _keep(self, digest: str, body: bytes) -> None:
        if digest in self._bodies or digest_of(body, digest.partition(":")[0]) != digest:
            return
        self._bodies[digest] = body
        self._size += len(body)
        while self._size > MOST:
            self._size -= len(self._bodies.popitem(last=False)[1])
