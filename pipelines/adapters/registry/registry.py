"""The port `Registry` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipelines.adapters.registry import attachments, listings
from pipelines.adapters.registry.downloads import download
from pipelines.adapters.registry.failures import fault, printable, refusal
from pipelines.adapters.registry.settings import Settings
from pipelines.adapters.registry.transport import Ask, Transport
from pipelines.adapters.registry.uploads import SMALL, abandon, mount, upload
from pipelines.adapters.registry.wire import Answer
from pipelines.core.manifest import INDEXES, LIMIT, MANIFESTS, BadManifest, media_type, parse
from pipelines.core.tally import digest_of
from pipelines.model.oci import Descriptor, Document, Repository
from pipelines.model.reference import DIGEST, TAG, is_digest
from pipelines.ports import Push, RegistryFault, WrongDigest

_ACCEPT = {"Accept": ", ".join(MANIFESTS + INDEXES)}
_DIGEST_HEADER = "docker-content-digest"


class OciRegistry:
    """Every registry that references name, each at its own host. Connects when first asked for something."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(settings)
        self._attachments = attachments.Attachments(self, self._transport)

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        """One request; a second, with the body, where the registry does not say enough in headers."""
        ask = Ask("HEAD", repository, f"manifests/{_reference(reference)}", _doing("look up", repository, reference), _ACCEPT)
        answer = await self._transport.ask(ask)
        if answer.status == 404:
            return None
        if answer.status not in (200, 405):
            raise _fault(ask, answer)
        digest, size = answer.headers.get(_DIGEST_HEADER, ""), answer.headers.get("content-length", "")
        if answer.status == 405 or not DIGEST.fullmatch(digest) or not size.isdigit() or answer.kind not in MANIFESTS + INDEXES:
            document = await self.manifest(repository, reference)
            return Descriptor(document.media_type, document.digest, len(document.body)) if document else None
        if is_digest(reference) and digest != reference:
            raise WrongDigest(f"{repository} has {digest} under {reference}", "do not use that registry")
        return Descriptor(answer.kind, digest, int(size))

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """At most 4 MiB are read, whatever is sent."""
        ask = Ask("GET", repository, f"manifests/{_reference(reference)}", _doing("read", repository, reference), _ACCEPT)
        answer = await self._transport.ask(ask)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise _fault(ask, answer)
        if answer.is_cut:
            raise RegistryFault(
                f"{repository}: the manifest {reference} has more than {LIMIT} bytes", "that is more than registries may keep"
            )
        return _document(repository, reference, answer)

    def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """A stream; a cut connection is resumed. A blob that is not there raises RegistryFault with status 404."""
        _digest(descriptor.digest)
        return download(self._transport, repository, descriptor)

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """HEAD."""
        return await self._has_blob(repository, digest, "pull")

    async def _has_blob(self, repository: Repository, digest: str, actions: str) -> bool:
        doing = f"look up the blob {digest} in {repository.path}"
        ask = Ask("HEAD", repository, f"blobs/{_digest(digest)}", doing, actions=actions)
        answer = await self._transport.ask(ask)
        if answer.status not in (200, 404):
            raise _fault(ask, answer)
        return answer.status == 200

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        """Mounts, then HEAD (with the token of the upload, since some registries hide what is not there from readers), then an upload.

        What can be mounted needs no question: it may be there already. Nor does what is new and small: to ask costs what sending it costs.
        """
        session = await mount(self._transport, repository, push)
        if session is None:
            return False
        is_sent = push.is_new and push.descriptor.size <= SMALL
        if not is_sent and await self._has_blob(repository, push.descriptor.digest, "pull,push"):
            await abandon(self._transport, repository, session)
            return False
        return await upload(self._transport, repository, push, session)

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        """PUT."""
        await self.put(repository, reference, document)

    async def put(self, repository: Repository, reference: str, document: Document) -> Answer:
        """PUT, and the registry's answer to it."""
        algorithm = _digest(document.digest).partition(":")[0]
        if digest_of(document.body, algorithm) != document.digest or (is_digest(reference) and reference != document.digest):
            raise WrongDigest(f"{document.digest} should go under {printable(reference, 140)}, and is not what it says", "nothing was sent")
        headers = {"Content-Type": document.media_type}
        doing = _doing("take", repository, reference)
        ask = Ask("PUT", repository, f"manifests/{_reference(reference)}", doing, headers, document.body, actions="pull,push")
        answer = await self._put(ask)
        if answer.status not in (200, 201, 202):
            raise _fault(ask, answer)
        told = answer.headers.get(_DIGEST_HEADER, document.digest)
        if told != document.digest and told.startswith(algorithm):
            raise WrongDigest(f"{repository} took {document.digest} and calls it {printable(told, 80)}", "do not use that registry")
        return answer

    async def _put(self, ask: Ask) -> Answer:
        """Again where the digest is refused, which was right when it was sent.

        docker-registry writes the links to blobs in place; while another writer links the same blob, it reads an empty one and blames the manifest.
        """
        pace, attempt = self._transport.wire.pace, 1
        while True:
            answer = await self._transport.ask(ask)
            if attempt == pace.attempts or refusal(answer.status, answer.kind, answer.body).code != "DIGEST_INVALID":
                return answer
            await self._transport.wire.rest(ask.repository.host, attempt)
            attempt += 1

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """The API, else the fallback tag."""
        return await self._attachments.referrers(repository, _digest(digest))

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """PUT, then where the registry does not say that it lists it (`OCI-Subject`) the list under the fallback tag."""
        return await self._attachments.attach(repository, *documents)

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """Page by page, 1,000 a page; what is no tag is left out."""
        return tuple(sorted(await listings.tags(self._transport, repository)))

    async def delete(self, repository: Repository, reference: str) -> bool:
        """DELETE."""
        doing = _doing("delete", repository, reference)
        ask = Ask("DELETE", repository, f"manifests/{_reference(reference)}", doing, actions="delete")
        answer = await self._transport.ask(ask)
        if answer.status in (400, 405) and not is_digest(reference):
            fix = "delete the manifest by its digest, and with it all of its tags"
            raise RegistryFault(f"{repository.host} deletes no tags, as many registries", fix, status=answer.status, code="UNSUPPORTED")
        if answer.status not in (200, 202, 204, 404):
            raise _fault(ask, answer)
        return answer.status != 404

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _reference(reference: str) -> str:
    if not TAG.fullmatch(reference) and not is_digest(reference):
        raise RegistryFault(f"{printable(reference, 140)!r} is neither tag nor digest")
    return reference


def _digest(digest: str) -> str:
    if not is_digest(digest):
        raise RegistryFault(f"{printable(digest, 140)!r} is no digest")
    return digest


def _doing(verb: str, repository: Repository, reference: str) -> str:
    return f"{verb} {repository.path}{'@' if ':' in reference else ':'}{reference}"


def _fault(ask: Ask, answer: Answer) -> RegistryFault:
    return fault(ask.repository.host, ask.doing, refusal(answer.status, answer.kind, answer.body))


def _document(repository: Repository, reference: str, answer: Answer) -> Document:
    """A manifest whose digest is the one asked for, or where a tag was asked for the one that the registry said."""
    told = answer.headers.get(_DIGEST_HEADER, "")
    wanted = reference if is_digest(reference) else told if DIGEST.fullmatch(told) else ""
    digest = digest_of(answer.body, wanted.partition(":")[0] or "sha256")
    if wanted and digest != wanted:
        raise WrongDigest(f"{repository} sent {digest} as {wanted}", "try again; if it stays so, do not use that registry")
    try:
        kind = media_type(parse(answer.body), answer.kind)
    except BadManifest as wrong:
        fix = wrong.fix or "perhaps it is no registry"
        raise RegistryFault(f"{repository}: what came as {reference} is no manifest: {printable(str(wrong))}", fix) from None
    return Document(kind, digest, answer.body)
