"""Attestations: in-toto statements in DSSE envelopes, as cosign stores and reads them.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md; https://github.com/in-toto/attestation/tree/main/spec/v1
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from pipelines.core.decode import decode, digest, inner, items, text, unbase64
from pipelines.core.manifest import encode
from pipelines.core.signature import KEY, PREDICATE_TYPE, SIGNATURE, STATEMENT
from pipelines.core.tally import digest_of
from pipelines.model.oci import EMPTY, Descriptor, Document, ImageManifest, Pinned
from pipelines.model.trust import DSSE, IN_TOTO, SBOM, VERDICT, Envelope, Malformed, Statement, VerdictClaim
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


def verdict_statement(subject: Pinned, sbom: str, verdict: Mapping[str, Any], provenance: str = "") -> bytes:
    """The statement of what the gate decided (its predicate, which must at least say what `verdict_claim` reads).

    It names what belongs to it by digest: the SBOM that was judged, and the statement of the provenance. So whoever signs needs to be told
    of nothing but the verdict.
    """
    return statement(subject, VERDICT, {**verdict, "digest": subject.digest, "sbom": sbom, "provenance": provenance})


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
        provenance=text({"provenance": "", **value}, "provenance", what),
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


def attestation_layer(data: bytes, payload: bytes, predicate_type: str, key: str) -> Descriptor:
    """The layer for an envelope and the payload in it. cosign wants the signature's annotation there, and empty."""
    notes = {SIGNATURE: "", PREDICATE_TYPE: predicate_type, STATEMENT: digest_of(payload), KEY: key}
    return Descriptor(DSSE, digest_of(data), len(data), notes)


def referrer(subject: Descriptor, blob: Descriptor, artifact_type: str, notes: Mapping[str, str]) -> Document:
    """A manifest that attaches one blob to an image (image spec 1.1, manifest.md, "Guidelines for Artifact Usage").

    The empty configuration `NOTHING` must be in the repository, too.
    """
    nothing = Descriptor(EMPTY, digest_of(NOTHING), len(NOTHING))
    about = Descriptor(subject.media_type, subject.digest, subject.size)
    layer = Descriptor(blob.media_type, blob.digest, blob.size)
    return encode(ImageManifest(nothing, (layer,), artifact_type=artifact_type, subject=about, annotations=notes))


NOTHING = b"{}"
"""The empty configuration of an artifact."""
