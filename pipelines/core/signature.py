"""Signatures as cosign stores them: a "simple signing" payload, and the manifest under `sha256-<hex>.sig` that holds it.

cosign, specs/SIGNATURE_SPEC.md; https://github.com/containers/image/blob/main/docs/containers-signature.5.md
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import orjson

from pipelines.core.decode import decode, digest, inner, items, text, unbase64
from pipelines.model.oci import CONFIG, MANIFEST, Descriptor, Document, Repository
from pipelines.model.trust import SIMPLE_SIGNING, Malformed, Signed

KIND = "cosign container image signature"
SIGNATURE = "dev.cosignproject.cosign/signature"
PREDICATE_TYPE = "predicateType"
KEY = "dev.fleetwright.key"
"""Annotation with the fingerprint of the key that we signed with. A hint: it says who to blame, never whom to trust."""
STATEMENT = "dev.fleetwright.statement"
"""Annotation of an attestation with the digest of its statement: signatures differ each time, statements do not."""
MOST = 100
"""Layers that are looked at: who has more has been filled up by somebody."""
_PAYLOAD, _MANIFEST = 1 << 20, 4 << 20


def signature_tag(digest: str) -> str:
    """The tag under which cosign looks for the signatures of `digest`."""
    return digest.replace(":", "-") + ".sig"


def attestation_tag(digest: str) -> str:
    """The tag under which cosign looks for the attestations of `digest`."""
    return digest.replace(":", "-") + ".att"


def payload(repository: Repository, digest: str) -> bytes:
    """What is signed for the manifest `digest`."""
    critical = {"identity": {"docker-reference": str(repository)}, "image": {"docker-manifest-digest": digest}, "type": KIND}
    return orjson.dumps({"critical": critical, "optional": None})


def signed_digest(data: bytes) -> str:
    """The digest that a payload speaks of. Raises Malformed."""
    critical = inner(decode(data, "the signature's payload", _PAYLOAD), "critical", "the signature's payload")
    if critical.get("type") != KIND:
        raise Malformed("the signature's payload is of another type")
    return digest(inner(critical, "image", "the signature's payload"), "docker-manifest-digest", "the signature's payload")


def signature_layer(data: bytes, signature: bytes, key: str) -> Signed:
    """The layer for a payload, with its signature (ASN.1, as ECDSA has it) beside it."""
    notes = {SIGNATURE: base64.b64encode(signature).decode(), KEY: key}
    return Signed(SIMPLE_SIGNING, digest_of(data), len(data), notes)


def signature_of(layer: Signed) -> bytes:
    """The signature that stands beside a payload. Raises Malformed."""
    return unbase64(layer.annotations.get(SIGNATURE, "!"), "the signature")


def read_layers(document: Document) -> tuple[Signed, ...]:
    """The layers of a manifest of signatures or attestations. Raises Malformed."""
    what = "the manifest of signatures"
    layers = items(decode(document.body, what, _MANIFEST), "layers", what, MOST)
    return tuple(_layer(one, what) for one in layers)


def _layer(one: dict[str, Any], what: str) -> Signed:
    size, notes = one.get("size"), one.get("annotations") or {}
    if type(size) is not int or size < 0:
        raise Malformed(f"{what} has a layer without a size")
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise Malformed(f"{what} has annotations that are not text")
    return Signed(text(one, "mediaType", what), digest(one, "digest", what), size, notes)


def added(layers: Iterable[Signed], new: Signed) -> tuple[Signed, ...]:
    """The layers with a new one. One for the same content by the same key gives way, so that signing again does not pile up."""
    return (*(one for one in layers if _mark(one) != _mark(new)), new)[-MOST:]


def _mark(one: Signed) -> tuple[str, str, str]:
    return one.media_type, one.annotations.get(STATEMENT, one.digest), one.annotations.get(KEY, "")


def holder(layers: tuple[Signed, ...]) -> tuple[bytes, Document]:
    """The configuration and the manifest that hold these layers, exactly as cosign makes them: an image that cannot run."""
    never = "0001-01-01T00:00:00Z"
    config = orjson.dumps({
        "architecture": "",
        "created": never,
        "history": [{"created": never} for _ in layers],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "config": {},
    })  # fmt: skip
    body = orjson.dumps({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)},
        "layers": [_as_json(layer) for layer in layers],
    })  # fmt: skip
    return config, Document(MANIFEST, digest_of(body), body)


def _as_json(layer: Signed) -> dict[str, Any]:
    return {"mediaType": layer.media_type, "size": layer.size, "digest": layer.digest, "annotations": dict(layer.annotations)}


def descriptor(layer: Signed) -> Descriptor:
    """What a registry is asked for."""
    return Descriptor(layer.media_type, layer.digest, layer.size)


def digest_of(data: bytes) -> str:
    """`sha256:<hex>` of bytes."""
    return "sha256:" + sha256(data).hexdigest()
