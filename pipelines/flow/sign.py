"""Sign an image: cosign's signature, and every statement about it as an attestation and as a referrer. Signing again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from pipelines.core.attestation import NOTHING, attestation_layer, envelope, pae, read_statement, referrer
from pipelines.core.signature import (
    added,
    attestation_tag,
    descriptor,
    digest_of,
    holder,
    payload,
    read_layers,
    signature_layer,
    signature_tag,
)
from pipelines.model.oci import EMPTY, Descriptor, Pinned, Repository
from pipelines.model.trust import DSSE, IN_TOTO, Malformed, Signed
from pipelines.ports import PrivateKey, Push, Registry, RegistryFault

TRIES = 5
"""How often a manifest of signatures is written again because somebody else wrote it meanwhile."""


class _Piece(NamedTuple):
    """A blob to push, and the layer that names it."""

    layer: Signed
    data: bytes


async def sign(registry: Registry, subject: Pinned, statements: Sequence[bytes], key: PrivateKey) -> None:
    """Sign the manifest `subject` and the statements about it.

    Signatures that others made stay. Raises RegistryFault, and ValueError for a statement that is about something else.
    """
    image = await registry.head(subject.repository, subject.digest)
    if image is None:
        raise RegistryFault(f"{subject} is not there: nothing was signed", "push the image first")
    said = payload(subject.repository, subject.digest)
    signature = _Piece(signature_layer(said, key.sign(said), key.fingerprint), said)
    attestations = [_attestation(subject, one, key) for one in statements]
    await _write(registry, subject.repository, attestation_tag(subject.digest), attestations)
    await _attach(registry, subject.repository, image, attestations)
    await _write(registry, subject.repository, signature_tag(subject.digest), [signature])


def _attestation(subject: Pinned, statement: bytes, key: PrivateKey) -> _Piece:
    said = read_statement(statement)
    if said.subjects != {subject.digest}:
        raise ValueError(f"a statement about {', '.join(sorted(said.subjects)) or 'nothing'} is not signed for {subject.digest}")
    data = envelope(statement, key.fingerprint, key.sign(pae(IN_TOTO, statement)))
    return _Piece(attestation_layer(data, statement, said.predicate_type, key.fingerprint), data)


async def _write(registry: Registry, repository: Repository, tag: str, pieces: Sequence[_Piece]) -> None:
    """Add the pieces to the manifest under `tag`. A tag has no compare-and-swap, so it is read again: who was overtaken writes once more."""
    await asyncio.gather(*(_push(registry, repository, descriptor(piece.layer), piece.data) for piece in pieces))
    for _ in range(TRIES):
        there = await _layers(registry, repository, tag)
        wanted = there
        for piece in pieces:
            wanted = wanted if piece.layer in wanted else added(wanted, piece.layer)
        if wanted == there:
            return
        config, document = holder(wanted)
        await _push(registry, repository, Descriptor("application/octet-stream", digest_of(config), len(config)), config)
        await registry.push_manifest(repository, tag, document)
    there = await _layers(registry, repository, tag)
    if not all(piece.layer in there for piece in pieces):
        raise RegistryFault(f"{repository}:{tag} is written by somebody else again and again", "run it again when they are done")


async def _layers(registry: Registry, repository: Repository, tag: str) -> tuple[Signed, ...]:
    """What is there already. What is there and cannot be read gives way: it verifies nothing."""
    document = await registry.manifest(repository, tag)
    try:
        return read_layers(document) if document else ()
    except Malformed:
        return ()


async def _attach(registry: Registry, repository: Repository, image: Descriptor, pieces: Sequence[_Piece]) -> None:
    """One after the other: each may rewrite the list under the fallback tag."""
    if pieces:
        await _push(registry, repository, Descriptor(EMPTY, digest_of(NOTHING), len(NOTHING)), NOTHING)
    for piece in pieces:
        notes = {"in-toto.io/predicate-type": piece.layer.annotations["predicateType"]}
        await registry.attach(repository, referrer(image, descriptor(piece.layer), DSSE, notes))


async def _push(registry: Registry, repository: Repository, blob: Descriptor, data: bytes) -> None:
    await registry.push_blob(repository, Push(blob, _chunks(data)))


def _chunks(data: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    return chunks
