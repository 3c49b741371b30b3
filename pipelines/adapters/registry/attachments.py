"""What is attached to a digest: the referrers API where there is one, else a list under a tag that everybody rewrites."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pipelines.adapters.registry import listings
from pipelines.adapters.registry.failures import fault, printable, refusal
from pipelines.adapters.registry.transport import Ask, Transport
from pipelines.adapters.registry.wire import Answer
from pipelines.core import referrers as lists
from pipelines.core.manifest import BadManifest
from pipelines.core.tags import fallback_tag
from pipelines.model.oci import INDEX, Descriptor, Document, Repository
from pipelines.ports import RegistryFault

MOST = 10_000
"""What may be attached to one digest."""
LONGER = 2.0
"""Times as long as our own reading and writing took, before we look whether it stands."""
TRIES = 8
"""Rewrites of a list, each undone by another writer, before we give up."""


class Manifests(Protocol):
    """What of a registry this needs."""

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """Read."""

    async def put(self, repository: Repository, reference: str, document: Document) -> Answer:
        """Write."""


class Attachments:
    """Reads and writes them. In one process one writer at a time goes at a list."""

    def __init__(self, manifests: Manifests, transport: Transport) -> None:
        self._manifests = manifests
        self._transport = transport
        self._locks: dict[tuple[Repository, str], asyncio.Lock] = {}
        self._silent: set[str] = set()
        """Hosts that took an attachment without a word of its subject, which the API demands of those that have it."""
        self._without: set[str] = set()
        """Those of them that gave no list of referrers either: they have no API, and are not asked for it again."""

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """All of them. Registries without the API answer 404, and others something of their own (GHCR redirects to a web page)."""
        if repository.host in self._without:
            return await self._listed(repository, digest)
        found: list[Descriptor] = []
        ask = Ask("GET", repository, f"referrers/{digest}", f"list what is attached to {digest}", {"Accept": INDEX}, follows=False)
        async for answer in listings.pages(self._transport, ask):
            if answer.status in (401, 403, 429) or answer.status >= 500:
                raise fault(repository.host, ask.doing, refusal(answer.status, answer.kind, answer.body))
            if answer.status != 200 or answer.kind != INDEX:
                self._without |= {repository.host} & self._silent
                return await self._listed(repository, digest)
            if answer.is_cut or len(found) > MOST:
                raise RegistryFault(f"{repository.host} gave a list that is too long when asked to {ask.doing}", f"{MOST} are the most")
            try:
                found += lists.read_page(answer.body)
            except BadManifest as wrong:
                raise _no_list(repository, digest, wrong) from None
        return tuple(found)

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """Push them, and list those that the registry does not: of one image all at once."""
        subjects = [_subject(document) for document in documents]
        unlisted: dict[str, list[Descriptor]] = {}
        for document, (digest, entry) in zip(documents, subjects, strict=True):
            answer = await self._manifests.put(repository, document.digest, document)
            if answer.headers.get("oci-subject") != digest:
                self._silent |= set() if "oci-subject" in answer.headers else {repository.host}
                unlisted.setdefault(digest, []).append(entry)
        for digest, entries in unlisted.items():
            async with self._locks.setdefault((repository, digest), asyncio.Lock()):
                await self._enlist(repository, digest, entries)
        return frozenset(entry.digest for entries in unlisted.values() for entry in entries)

    async def _enlist(self, repository: Repository, digest: str, entries: Sequence[Descriptor]) -> None:
        """Registries have no compare-and-set: write, look whether it stands, and write again where another writer took it away.

        One who read the list before we wrote will write about as long after as we took ourselves: so the look comes later than that.
        """
        tag, clock = fallback_tag(digest), asyncio.get_running_loop().time
        for attempt in range(TRIES):
            if attempt > 1:
                await self._transport.wire.rest(repository.host, attempt)  # or two writers would undo each other in step
            began = clock()
            known = await self._manifests.manifest(repository, tag)
            try:
                wanted = lists.joined(known, entries)
            except BadManifest as wrong:
                raise _no_list(repository, digest, wrong) from None
            if wanted is None:
                return
            await self._manifests.put(repository, tag, wanted)
            await self._transport.wire.sleep(LONGER * (clock() - began))
        listed = {one.digest for one in await self._listed(repository, digest)}
        if missing := [entry.digest for entry in entries if entry.digest not in listed]:
            raise RegistryFault(
                f"{repository}:{tag} was rewritten by others {TRIES} times while {missing[0]} was to be listed", "try again"
            )

    async def _listed(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        try:
            return lists.listed(await self._manifests.manifest(repository, fallback_tag(digest)))
        except BadManifest as wrong:
            raise _no_list(repository, digest, wrong) from None


def _subject(document: Document) -> tuple[str, Descriptor]:
    """What it is attached to, and how it is listed."""
    try:
        return lists.subject(document).digest, lists.entry(document)
    except BadManifest as wrong:
        raise RegistryFault(f"{document.digest} cannot be attached: {wrong}", wrong.fix) from None


def _no_list(repository: Repository, digest: str, wrong: BadManifest) -> RegistryFault:
    fix = wrong.fix or f"delete the tag {fallback_tag(digest)}, and attach again"
    return RegistryFault(f"{repository}: the list of what is attached to {digest} cannot be read: {printable(str(wrong))}", fix)
