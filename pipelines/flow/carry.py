"""Carries an image to another repository, of any host, with all that hangs on it: SBOM, statements, signatures. The digests stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from pipelines.core.signature import added, attestation_tag, holder, read_layers, signature_tag
from pipelines.core.tally import digest_of
from pipelines.flow.attach import attach
from pipelines.flow.mirror import mirror
from pipelines.flow.publish import Package, publish
from pipelines.flow.reading import read_document, understood
from pipelines.model.oci import Descriptor, ImageIndex, Pinned, Repository
from pipelines.model.trust import Malformed
from pipelines.ports import Registry, RegistryFault

DEEPEST = 3
"""Papers about papers."""
MOST = 200
"""Papers of one image."""


async def carry(registry: Registry, source: Pinned, into: Repository) -> Pinned:
    """Copy it; what is there already is not sent again, and what others have hung on it there stays. Raises RegistryFault."""
    pinned = (await mirror(registry, source, into)).pinned
    for digest in await _digests(registry, source):
        await _papers(registry, Pinned(source.repository, digest), into, DEEPEST)
        for tag in (signature_tag(digest), attestation_tag(digest)):
            await _signatures(registry, source.repository, tag, into)
    return pinned


async def _digests(registry: Registry, source: Pinned) -> tuple[str, ...]:
    """The image, and of an index all of its images: each may have papers of its own."""
    value = understood(source, await read_document(registry, source.repository, source.digest))
    return (source.digest, *(one.digest for one in value.manifests)) if isinstance(value, ImageIndex) else (source.digest,)


async def _papers(registry: Registry, about: Pinned, into: Repository, depth: int) -> None:
    listed = await registry.referrers(about.repository, about.digest)
    if len(listed) > MOST or (listed and not depth):
        raise RegistryFault(f"{about} has more attached to it than anybody would look at", "delete what is not needed")
    packages = []
    for one in listed:
        document = await read_document(registry, about.repository, one.digest)
        value = understood(one.digest, document)
        if value.subject is None or value.subject.digest != about.digest or isinstance(value, ImageIndex):
            continue  # listed there by whoever: it does not say itself that it belongs here
        packages.append(Package(document, _from(registry, about.repository)))
    if packages:
        await attach(registry, Pinned(into, about.digest), packages)
    for package in packages:
        await _papers(registry, Pinned(about.repository, package.document.digest), into, depth - 1)


async def _signatures(registry: Registry, source: Repository, tag: str, into: Repository) -> None:
    """What cosign keeps under a tag. Where the other repository has some of its own, both stand side by side."""
    document = await registry.manifest(source, tag)
    if document is None:
        return
    there = await registry.manifest(into, tag)
    try:
        theirs, ours = read_layers(document), read_layers(there) if there else ()
    except Malformed as bad:
        raise RegistryFault(f"{source}:{tag}: {bad}", "find out who wrote it; then delete that tag and sign again") from None
    wanted = ours
    for layer in theirs:
        wanted = wanted if layer in wanted else added(wanted, layer)
    if there is not None and wanted == ours:
        return
    config, held = holder(wanted)
    settled = document if wanted == theirs else held
    blobs = {digest_of(config): config}
    await publish(registry, Package(settled, _from(registry, source, blobs)), into, (source,), tag)


def _from(registry: Registry, source: Repository, made: dict[str, bytes] | None = None) -> Callable[[Descriptor], AsyncIterator[bytes]]:
    def chunks(blob: Descriptor) -> AsyncIterator[bytes]:
        return _bytes(made[blob.digest]) if made and blob.digest in made else registry.blob(source, blob)

    return chunks


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data
