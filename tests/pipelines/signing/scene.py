"""What tests of signatures share: keys, an image with all that belongs to it, and the verdict about it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

import orjson

from pipelines.adapters.keys import EcPrivateKey
from pipelines.core.attestation import NOTHING, referrer, verdict_statement
from pipelines.core.tally import digest_of
from pipelines.flow.sign import sign
from pipelines.flow.trusted import Trusted
from pipelines.flow.verify import verify
from pipelines.model.oci import Descriptor, Pinned
from pipelines.model.trust import CYCLONEDX, Subject, Verification
from tests.pipelines.signing.shelf import HOME, Shelf

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
SBOM = b'{"bomFormat":"CycloneDX","components":[],"specVersion":"1.6"}'
POLICY = digest_of(b"policy")


@cache
def key(name: str) -> EcPrivateKey:
    """A key of its own for each name, not locked: making one that is takes a while."""
    from cryptography.hazmat.primitives.asymmetric import ec

    assert name
    return EcPrivateKey(ec.generate_private_key(ec.SECP256R1()))


def trusted(name: str, since: date = date(2026, 1, 1), until: date = date(2026, 12, 31)) -> Trusted:
    return Trusted(name, key(name).public, since, until)


def verdict(**over: object) -> dict[str, object]:
    said = {
        "scanner": "trivy 0.76.0",
        "database": "2026-11-21T06:00:00Z",
        "policy": POLICY,
        "passed": True,
        "counts": {"passes": {"LOW": 3}},
    }
    return {**said, **over}


async def attach_sbom(shelf: Shelf, image: Pinned, sbom: bytes = SBOM) -> str:
    """An SBOM as a referrer, as a build puts it there; the digest of its manifest."""
    shelf.lay(sbom, NOTHING)
    subject = await shelf.head(HOME, image.digest)
    assert subject
    document = referrer(subject, Descriptor(CYCLONEDX, digest_of(sbom), len(sbom)), CYCLONEDX, {})
    await shelf.attach(HOME, document)
    return document.digest


async def signed(shelf: Shelf, word: str = "web", by: str = "release", **over: object) -> Subject:
    """An image with its SBOM, its verdict and its signature; what the lock says of it."""
    image = shelf.image(word)
    await attach_sbom(shelf, image)
    statement = verdict_statement(image, digest_of(SBOM), verdict(**over))
    await sign(shelf, image, [statement], key(by))
    return Subject(word, image, digest_of(statement), digest_of(SBOM))


async def found(shelf: Shelf, subject: Subject, *keys: Trusted, today: date = TODAY) -> Verification:
    """What is found of one subject."""
    return (await verify(shelf, [subject], keys or (trusted("release"),), today))[subject]


def edited(shelf: Shelf, tag: str, **layer: object) -> None:
    """Rewrite the first layer of a manifest, as somebody who can write to the registry does."""
    value = orjson.loads(shelf.at(tag).body)
    value["layers"][0] |= layer
    shelf.forge(tag, orjson.dumps(value))
