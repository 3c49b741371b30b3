"""Attestations: in-toto statements in DSSE envelopes, as cosign stores and reads them.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md; https://github.com/in-toto/attestation/tree/main/spec/v1
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from pipelines.core.decode import decode, digest, inner, items, text, unbase64
from pipelines.core.signature import KEY, PREDICATE_TYPE, SIGNATURE, STATEMENT, digest_of
from pipelines.model.oci import EMPTY, MANIFEST, Descriptor, Document, Pinned
from pipelines.model.trust import DSSE, IN_TOTO, SBOM, VERDICT, Envelope, Malformed, Signed, Statement, VerdictClaim
from reconciler.model.canonical import dumps

_TYPE = "https://in-toto.io/Statement/v1"
_TYPES = (_TYPE, "https://in-toto.io/Statement/v0.1")
LIMIT = 64 << 20
"""Bytes of an envelope: an SBOM of a large image has some MiB, and base64 adds a third."""
_MOST = 100


def statement(subject: Pinned, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """A statement about one image. The same values always give the same bytes; their digest is what `fleet.lock` calls the verdict."""
    about = {"name": str(subject.repository), "digest": {"sha256": subject.digest.removeprefix("sha256:")}}
    return dumps({"_type": _TYPE, "subject": [about], "predicateType": predicate_type, "predicate": predicate})


def verdict_statement(subject: Pinned, sbom: str, verdict: Mapping[str, Any]) -> bytes:
    """The statement of what the gate decided (its predicate, which must at least say what `verdict_claim` reads) about an SBOM's digest."""
    return statement(subject, VERDICT, {**verdict, "digest": subject.digest, "sbom": sbom})


def sbom_statement(subject: Pinned, sbom: bytes) -> bytes:
    """The statement that an image contains what its SBOM (CycloneDX JSON) lists: `cosign verify-attestation --type cyclonedx` reads it."""
    return statement(subject, SBOM, decode(sbom, "the SBOM", LIMIT))


def verdict_claim(said: Statement) -> VerdictClaim:
    """What a statement of a verdict says. Raises Malformed for one that leaves something open."""
    what, value = "the verdict", dict(said.predicate)
    if said.predicate_type != VERDICT:
        raise Malformed(f"{what} is of another type")
    if type(passed := value.get("passed")) is not bool:
        raise Malformed(f"{what} does not say whether it is a pass")
    counts = {stance: inner(inner(value, "counts", what), stance, what) for stance in inner(value, "counts", what)}
    if not all(type(count) is int for levels in counts.values() for count in levels.values()):
        raise Malformed(f"{what} has counts that are no numbers")
    return VerdictClaim(
        digest=digest(value, "digest", what),
        sbom=digest(value, "sbom", what),
        scanner=text(value, "scanner", what),
        database=text(value, "database", what),
        policy=text(value, "policy", what),
        passed=passed,
        counts=counts,
    )


def read_statement(data: bytes) -> Statement:
    """The statement in a payload. Raises Malformed."""
    what = "the statement"
    value = decode(data, what, LIMIT)
    if value.get("_type") not in _TYPES:
        raise Malformed(f"{what} is of another type")
    digests = (inner(one, "digest", what).get("sha256") for one in items(value, "subject", what, _MOST))
    subjects = frozenset(f"sha256:{one}" for one in digests if isinstance(one, str))
    return Statement(subjects, text(value, "predicateType", what), inner(value, "predicate", what))


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, key: str, signature: bytes) -> bytes:
    """A DSSE envelope with one signature."""
    signatures = [{"keyid": key, "sig": base64.b64encode(signature).decode()}]
    return orjson.dumps({"payloadType": IN_TOTO, "payload": base64.b64encode(payload).decode(), "signatures": signatures})


def read_envelope(data: bytes) -> Envelope:
    """The envelope in a blob. Raises Malformed."""
    what = "the attestation"
    value = decode(data, what, LIMIT)
    if value.get("payloadType") != IN_TOTO:
        raise Malformed(f"{what} holds no in-toto statement")
    signatures = tuple(
        (str(one.get("keyid", "")), unbase64(text(one, "sig", what), what)) for one in items(value, "signatures", what, _MOST)
    )
    return Envelope(IN_TOTO, unbase64(text(value, "payload", what), what), signatures)


def attestation_layer(data: bytes, payload: bytes, predicate_type: str, key: str) -> Signed:
    """The layer for an envelope and the payload in it. cosign wants the signature's annotation there, and empty."""
    return Signed(
        DSSE, digest_of(data), len(data), {SIGNATURE: "", PREDICATE_TYPE: predicate_type, STATEMENT: digest_of(payload), KEY: key}
    )


def referrer(subject: Descriptor, layer: Descriptor, artifact_type: str, notes: Mapping[str, str]) -> Document:
    """A manifest that attaches one blob to an image (image spec 1.1, manifest.md, "Guidelines for Artifact Usage").

    The empty configuration `{}` must be in the repository, too: `NOTHING`.
    """
    body = dumps({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": {"mediaType": EMPTY, "digest": digest_of(NOTHING), "size": len(NOTHING)},
        "layers": [_short(layer)],
        "subject": _short(subject),
        **({"annotations": dict(notes)} if notes else {}),
    })  # fmt: skip
    return Document(MANIFEST, digest_of(body), body)


NOTHING = b"{}"
"""The empty configuration of an artifact."""


def _short(one: Descriptor) -> dict[str, Any]:
    return {"mediaType": one.media_type, "digest": one.digest, "size": one.size}
