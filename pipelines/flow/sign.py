"""Sign an image: cosign's signature, and every statement about it as an attestation and as a referrer. Signing again changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from pipelines.core.attestation import NOTHING, attestation_layer, envelope, pae, read_statement, referrer, verdict_claim
from pipelines.core.signature import PREDICATE_TYPE, added, attestation_tag, holder, payload, read_layers, signature_layer, signature_tag
from pipelines.core.tally import digest_of
from pipelines.flow.attach import attach
from pipelines.flow.build.papers import find
from pipelines.flow.publish import Package, publish
from pipelines.model.oci import Descriptor, Pinned, Repository
from pipelines.model.trust import IN_TOTO, Malformed, Subject
from pipelines.ports import PrivateKey, Registry, RegistryFault

ROUNDS = 5
"""How often a manifest of signatures is written again because somebody else wrote it meanwhile."""


async def sign(registry: Registry, subject: Pinned, statements: Sequence[bytes], key: PrivateKey) -> None:
    """Sign the manifest `subject` and the statements about it.

    Signatures that others made stay. Raises RegistryFault, and ValueError for a statement that is about something else.
    """
    image = await registry.head(subject.repository, subject.digest)
    if image is None:
        raise RegistryFault(f"{subject} is not there: nothing was signed", "push the image first", status=404)
    said = payload(subject.repository, subject.digest)
    signature = signature_layer(said, key.sign(said), key.fingerprint)
    attestations = dict(_attestation(subject, one, key) for one in statements)
    blobs = {digest_of(data): data for data in (said, NOTHING, *attestations)}
    if attestations:
        await _write(registry, subject.repository, attestation_tag(subject.digest), tuple(attestations.values()), blobs)
        await attach(registry, subject, [_package(image, layer, blobs) for layer in attestations.values()])
    await _write(registry, subject.repository, signature_tag(subject.digest), (signature,), blobs)


async def sign_locked(registry: Registry, subject: Subject, key: PrivateKey) -> None:
    """Sign a build that the lock names, with the verdict that the lock names and the provenance that the verdict names.

    What hangs on the image besides is not signed: whoever builds may have put it there, and nobody has looked at it. Raises RegistryFault, also
    for a build whose verdict is not there or is not a pass.
    """
    hanging = {digest_of(one): one for one in await find(registry, subject.at, IN_TOTO)}
    verdict = hanging.get(subject.verdict)
    if verdict is None:
        fix = "fleet images build judges it again, and notes the verdict in the lock"
        raise RegistryFault(f"{subject.at} comes without the verdict that the lock names: it was not signed", fix, status=404)
    try:
        claim = verdict_claim(read_statement(verdict))
    except Malformed as bad:
        raise RegistryFault(f"{subject.at} was not signed: {bad}", "fleet images build judges it again") from None
    if not claim.passed or claim.digest != subject.at.digest or (subject.sbom and claim.sbom != subject.sbom):
        raise RegistryFault(
            f"{subject.at} was not signed: its verdict is no pass of this build and its SBOM", "fleet images build judges it again"
        )
    if claim.provenance and claim.provenance not in hanging:
        raise RegistryFault(f"{subject.at} comes without its provenance: it was not signed", "build it again", status=404)
    await sign(registry, subject.at, [verdict, *([hanging[claim.provenance]] if claim.provenance else [])], key)


def _attestation(subject: Pinned, statement: bytes, key: PrivateKey) -> tuple[bytes, Descriptor]:
    """The envelope of a statement, and the layer that names it."""
    said = read_statement(statement)
    if said.subjects != {subject.digest}:
        raise ValueError(f"a statement about {', '.join(sorted(said.subjects)) or 'nothing'} is not signed for {subject.digest}")
    data = envelope(statement, key.fingerprint, key.sign(pae(IN_TOTO, statement)))
    return data, attestation_layer(data, statement, said.predicate_type, key.fingerprint)


def _package(image: Descriptor, layer: Descriptor, blobs: Mapping[str, bytes]) -> Package:
    notes = {"in-toto.io/predicate-type": layer.annotations[PREDICATE_TYPE]}
    return Package(referrer(image, layer, layer.media_type, notes), _source(blobs))


async def _write(registry: Registry, repository: Repository, tag: str, new: Sequence[Descriptor], blobs: Mapping[str, bytes]) -> None:
    """Add layers to the manifest under `tag`. A tag has no compare-and-swap, so it is read again: who was overtaken writes once more."""
    for _ in range(ROUNDS):
        there = wanted = await _layers(registry, repository, tag)
        for layer in new:
            wanted = wanted if layer in wanted else added(wanted, layer)
        if wanted == there:
            return
        config, document = holder(wanted)
        # The layers of others are there already: nobody asks for their bytes.
        await publish(registry, Package(document, _source({**blobs, digest_of(config): config})), repository, tag=tag)
    there = await _layers(registry, repository, tag)
    if not all(layer in there for layer in new):
        raise RegistryFault(f"{repository}:{tag} is written by somebody else again and again", "run it again when they are done")


async def _layers(registry: Registry, repository: Repository, tag: str) -> tuple[Descriptor, ...]:
    """What is there already. What cannot be read gives way: it verifies nothing."""
    document = await registry.manifest(repository, tag)
    try:
        return read_layers(document) if document else ()
    except Malformed:
        return ()


def _source(blobs: Mapping[str, bytes]) -> Callable[[Descriptor], AsyncIterator[bytes]]:
    async def chunks(blob: Descriptor) -> AsyncIterator[bytes]:
        if blob.digest not in blobs:
            raise RegistryFault(f"{blob.digest} is named beside the signatures and is gone", "delete that tag, and sign again", status=404)
        yield blobs[blob.digest]

    return chunks
