"""Signatures as cosign stores them: a "simple signing" payload, and the manifest under `sha256-<hex>.sig` that holds it.

cosign, specs/SIGNATURE_SPEC.md; https://github.com/containers/image/blob/main/docs/containers-signature.5.md
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import orjson

from pipelines.core import manifest
from pipelines.core.decode import decode, digest, inner, unbase64
from pipelines.core.tally import digest_of
from pipelines.model.oci import CONFIG, Descriptor, Document, ImageIndex, ImageManifest, Repository
from pipelines.model.trust import SIMPLE_SIGNING, Malformed

KIND = "cosign container image signature"
SIGNATURE = "dev.cosignproject.cosign/signature"
PREDICATE_TYPE = "predicateType"
KEY = "dev.fleetwright.key"
"""Annotation with the fingerprint of the key that we signed with. A hint: it says who to blame, never whom to trust."""
STATEMENT = "dev.fleetwright.statement"
"""Annotation of an attestation with the digest of its statement: signatures differ each time, statements do not."""
MOST = 100
"""Layers that are looked at: who has more has been filled up by somebody."""
_PAYLOAD = 1 << 20


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


def signature_layer(data: bytes, signature: bytes, key: str) -> Descriptor:
    """The layer for a payload, with its signature (ASN.1, as ECDSA has it) beside it."""
    notes = {SIGNATURE: base64.b64encode(signature).decode(), KEY: key}
    return Descriptor(SIMPLE_SIGNING, digest_of(data), len(data), notes)


def signature_of(layer: Descriptor) -> bytes:
    """The signature that stands beside a payload. Raises Malformed."""
    return unbase64(layer.annotations.get(SIGNATURE, "!"), "the signature")


def read_layers(document: Document) -> tuple[Descriptor, ...]:
    """The layers of a manifest of signatures or attestations. Raises Malformed."""
    try:
        value = manifest.decode(document)
    except manifest.BadManifest as bad:
        raise Malformed(f"the manifest of signatures cannot be read: {bad}") from None
    if isinstance(value, ImageIndex) or len(value.layers) > MOST:
        raise Malformed(f"the manifest of signatures is an index, or has more than {MOST} layers")
    return value.layers


def added(layers: Iterable[Descriptor], new: Descriptor) -> tuple[Descriptor, ...]:
    """The layers with a new one. One for the same content by the same key gives way, so that signing again does not pile up."""
    return (*(one for one in layers if _mark(one) != _mark(new)), new)[-MOST:]


def _mark(one: Descriptor) -> tuple[str, str, str]:
    return one.media_type, one.annotations.get(STATEMENT, one.digest), one.annotations.get(KEY, "")


def holder(layers: tuple[Descriptor, ...]) -> tuple[bytes, Document]:
    """The configuration and the manifest that hold these layers, as cosign makes them: an image that cannot run."""
    never = "0001-01-01T00:00:00Z"
    config = orjson.dumps({
        "architecture": "",
        "created": never,
        "history": [{"created": never} for _ in layers],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "config": {},
    })  # fmt: skip
    return config, manifest.encode(ImageManifest(Descriptor(CONFIG, digest_of(config), len(config)), layers))
