"""Registries in memory: the port `Registry` for real, as strict as a registry of the distribution specification, on no network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipelines.core import referrers as lists
from pipelines.core.manifest import BadManifest, decode
from pipelines.core.tags import fallback_tag
from pipelines.core.tally import Tally, digest_of
from pipelines.model.oci import Descriptor, Document, ImageManifest, Repository
from pipelines.model.reference import TAG, is_digest
from pipelines.ports import Push, RegistryFault, WrongDigest

PIECE = 64 << 10


@dataclass(slots=True)
class Shelf:
    """What one repository holds."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Document] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class MemoryRegistry:
    """Every host at once. `has_referrers`: whether they have the referrers API, or clients keep lists under tags."""

    def __init__(self, *, has_referrers: bool = True, deletes_tags: bool = True) -> None:
        self.shelves: dict[Repository, Shelf] = {}
        self._has_referrers = has_referrers
        self._deletes_tags = deletes_tags

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        """A look at the shelf."""
        found = await self.manifest(repository, reference)
        return Descriptor(found.media_type, found.digest, len(found.body)) if found else None

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """A look at the shelf."""
        shelf = self.shelves.get(repository, Shelf())
        digest = _reference(reference) if is_digest(reference) else shelf.tags.get(_reference(reference), "")
        return shelf.manifests.get(digest)

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """In pieces, the last one only if all of it is right."""
        body = self.shelves.get(repository, Shelf()).blobs.get(_digest(descriptor.digest))
        if body is None:
            raise RegistryFault(f"{repository} has no blob {descriptor.digest}", status=404, code="BLOB_UNKNOWN")
        _check(descriptor, body, f"{repository} sent as")
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """A look at the shelf."""
        return _digest(digest) in self.shelves.get(repository, Shelf()).blobs

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        """Already there, on another shelf of the host, or read to its end."""
        digest = _digest(push.descriptor.digest)
        if await self.has_blob(repository, digest):
            return False
        for source in push.mount_from:
            if source.host == repository.host and await self.has_blob(source, digest):
                self._shelf(repository).blobs[digest] = self.shelves[source].blobs[digest]
                return False
        body = bytearray()
        async with _closing(push.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
        _check(push.descriptor, bytes(body), "what should be uploaded as")
        self._shelf(repository).blobs[digest] = bytes(body)
        return True

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        """Refused unless all that it names is there; the subject need not be."""
        if digest_of(document.body, _digest(document.digest).partition(":")[0]) != document.digest or (
            is_digest(reference) and reference != document.digest
        ):
            raise WrongDigest(f"{document.digest} should go under {reference}, and is not what it says", "nothing was sent")
        try:
            value = decode(document)
        except BadManifest as wrong:
            raise RegistryFault(f"{repository} refused a manifest: {wrong}", wrong.fix, status=400, code="MANIFEST_INVALID") from None
        shelf = self._shelf(repository)
        if isinstance(value, ImageManifest):
            missing = [one.digest for one in (value.config, *value.layers) if one.digest not in shelf.blobs]
        else:
            missing = [one.digest for one in value.manifests if one.digest not in shelf.manifests]
        if missing:
            raise RegistryFault(f"{repository} has no {missing[0]}", "push it first", status=404, code="MANIFEST_BLOB_UNKNOWN")
        shelf.manifests[document.digest] = document
        if not is_digest(reference):
            shelf.tags[_reference(reference)] = document.digest

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Found by their subject, or read from the list under the fallback tag."""
        if not self._has_referrers:
            return lists.listed(await self.manifest(repository, fallback_tag(_digest(digest))))
        documents = self.shelves.get(repository, Shelf()).manifests.values()
        return tuple(lists.entry(one) for one in documents if (subject := decode(one).subject) and subject.digest == _digest(digest))

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """Push, and without the API list it. Nothing is seen: whoever wants to know looks."""
        for document in documents:
            await self._attach(repository, document)
        return frozenset()

    async def _attach(self, repository: Repository, document: Document) -> None:
        try:
            subject, entry = lists.subject(document), lists.entry(document)
        except BadManifest as wrong:
            raise RegistryFault(f"{document.digest} cannot be attached: {wrong}", wrong.fix) from None
        await self.push_manifest(repository, document.digest, document)
        tag = fallback_tag(subject.digest)
        if not self._has_referrers and (wanted := lists.joined(await self.manifest(repository, tag), [entry])):
            await self.push_manifest(repository, tag, wanted)

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """In the order of the alphabet."""
        return tuple(sorted(self.shelves.get(repository, Shelf()).tags))

    async def delete(self, repository: Repository, reference: str) -> bool:
        """A manifest goes with its tags."""
        shelf = self.shelves.get(repository, Shelf())
        if is_digest(reference):
            shelf.tags = {tag: digest for tag, digest in shelf.tags.items() if digest != reference}
            return shelf.manifests.pop(reference, None) is not None
        if not self._deletes_tags:
            raise RegistryFault(f"{repository} deletes no tags", "delete by digest", status=405, code="UNSUPPORTED")
        return shelf.tags.pop(_reference(reference), None) is not None

    async def close(self) -> None:
        """Nothing to do."""

    def _shelf(self, repository: Repository) -> Shelf:
        return self.shelves.setdefault(repository, Shelf())


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """What was begun is ended, even where the task is cancelled between two pieces."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _check(descriptor: Descriptor, body: bytes, what: str) -> None:
    tally = Tally(descriptor)
    tally.add(body)
    if tally.complaint:
        raise WrongDigest(f"{what} {descriptor.digest}: {tally.complaint}", "nothing of it was used")


def _reference(reference: str) -> str:
    if not TAG.fullmatch(reference) and not is_digest(reference):
        raise RegistryFault(f"{reference[:140]!a} is neither tag nor digest")
    return reference


def _digest(digest: str) -> str:
    if not is_digest(digest):
        raise RegistryFault(f"{digest[:140]!a} is no digest")
    return digest
