"""Writes manifests, indexes and configurations as canonical JSON, and reads them from bytes that nobody vouches for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from pipelines.core.tally import digest_of
from pipelines.model.oci import (
    CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
    Document,
    ImageConfig,
    ImageIndex,
    ImageManifest,
)
from pipelines.model.reference import DIGEST
from reconciler.model.canonical import dumps

LIMIT = 4 << 20
"""Bytes of a manifest (distribution specification, "Pushing Manifests")."""
MOST = 4096
"""Entries of one list: 127 layers are what engines mount, and an index of referrers grows."""
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
"""RFC 6838, 4.2."""
MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
INDEXES = (INDEX, DOCKER_LIST)
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_UNSAID = ("", "application/json", "application/octet-stream", "text/plain")
"""What servers call a document that they know nothing about."""


class BadManifest(ValueError):
    """Bytes that are no manifest, index or configuration that we understand. Says what is wrong, and what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


def encode(value: ImageManifest | ImageIndex | ImageConfig) -> Document:
    """The one document that says this: sorted keys, no white space, nothing that is empty."""
    match value:
        case ImageManifest():
            fields = {"config": descriptor(value.config), "layers": [descriptor(layer) for layer in value.layers]}
        case ImageIndex():
            fields = {"manifests": [descriptor(one) for one in value.manifests]}
        case ImageConfig():
            body = dumps(_config(value))
            return Document(CONFIG, digest_of(body), body)
    optional = {
        "artifactType": value.artifact_type,
        "subject": value.subject and descriptor(value.subject),
        "annotations": dict(value.annotations),
    }
    body = dumps({"schemaVersion": 2, "mediaType": value.media_type, **fields, **_said(optional)})
    if len(body) > LIMIT:
        raise BadManifest(f"a manifest of {len(body)} bytes: registries take {LIMIT}", "give it fewer layers or annotations")
    return Document(value.media_type, digest_of(body), body)


def descriptor(value: Descriptor) -> dict[str, Any]:
    """A descriptor as JSON has it (image specification, descriptor.md)."""
    system, _, machine = value.platform.partition("/")
    architecture, _, variant = machine.partition("/")
    platform = {"os": system, "architecture": architecture, **_said({"variant": variant})} if value.platform else None
    optional = {"annotations": dict(value.annotations), "artifactType": value.artifact_type, "platform": platform}
    return {"mediaType": value.media_type, "digest": value.digest, "size": value.size, **_said(optional)}


def decode(document: Document) -> ImageManifest | ImageIndex:
    """What a document says; raises BadManifest."""
    fields = parse(document.body)
    kind = media_type(fields, document.media_type)
    shared: dict[str, Any] = {
        "artifact_type": _text(fields, "artifactType"),
        "subject": None if fields.get("subject") is None else read_descriptor(fields["subject"], "subject"),
        "annotations": _texts(fields.get("annotations"), "annotations"),
    }
    if kind in INDEXES:
        return ImageIndex(_descriptors(fields, "manifests"), kind, **shared)
    return ImageManifest(read_descriptor(fields.get("config"), "config"), _descriptors(fields, "layers"), kind, **shared)


def media_type(fields: Mapping[str, Any], told: str) -> str:
    """Whether it is a manifest or an index, from what the server called it and from itself, which must agree (CVE-2021-41190)."""
    told = told.partition(";")[0].strip().lower()
    said = _text(fields, "mediaType")
    kind = said if told in _UNSAID else told
    if kind.startswith(_SCHEMA_1) or fields.get("schemaVersion") == 1:
        raise BadManifest("a manifest of Docker's schema 1, which has no digests", "push the image anew with a client made after 2017")
    if not kind:
        kind = INDEX if "manifests" in fields else MANIFEST
    if kind not in MANIFESTS + INDEXES:
        raise BadManifest(f"neither manifest nor index, but {kind[:120]!r}")
    if said and said != kind:
        raise BadManifest(f"the registry calls it {kind}, it calls itself {said[:120]!r}")
    wrong = ("config", "layers") if kind in INDEXES else ("manifests",)
    for name in wrong:
        if name in fields:
            raise BadManifest(f"{kind} with `{name}`: it could be read in two ways")
    return kind


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object of at most 4 MiB; raises BadManifest."""
    if len(body) > LIMIT:
        raise BadManifest(f"more than {LIMIT} bytes")
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise BadManifest(f"not JSON: {wrong}") from None
    if not isinstance(fields, dict):
        raise BadManifest("JSON, but no object")
    return fields


def read_descriptor(value: Any, where: str) -> Descriptor:
    """A descriptor out of JSON; raises BadManifest."""
    fields = _object(value, where)
    kind, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    if not isinstance(kind, str) or not MEDIA_TYPE.fullmatch(kind):
        _wrong(f"{where}.mediaType", "a media type", kind)
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        _wrong(f"{where}.digest", "a digest (sha256 or sha512)", digest)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        _wrong(f"{where}.size", "a number of bytes", size)
    platform = fields.get("platform")
    return Descriptor(
        kind,
        digest,
        size,
        _texts(fields.get("annotations"), f"{where}.annotations"),
        _text(fields, "artifactType"),
        "" if platform is None else _platform(_object(platform, f"{where}.platform")),
    )


def _descriptors(fields: Mapping[str, Any], name: str) -> tuple[Descriptor, ...]:
    values = fields.get(name)
    if not isinstance(values, list):
        _wrong(name, "a list", values)
    if len(values) > MOST:
        raise BadManifest(f"{len(values)} {name}: {MOST} are the most that we take")
    return tuple(read_descriptor(value, f"{name}[{position}]") for position, value in enumerate(values))


def _platform(fields: Mapping[str, Any]) -> str:
    parts = (_text(fields, "os"), _text(fields, "architecture"), _text(fields, "variant"))
    return "/".join(part for part in parts if part)


def _config(value: ImageConfig) -> dict[str, Any]:
    """buildah refuses to build on an image whose history has other layers than it has, so each layer has an entry, always the same one."""
    rootfs = {"type": "layers", "diff_ids": list(value.diff_ids)}
    return {
        "history": [{"created_by": "fleetwright"} for _ in value.diff_ids],
        "architecture": value.architecture,
        "os": value.os,
        "rootfs": rootfs,
        **_said({"variant": value.variant, "config": dict(value.run)}),
    }


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _wrong(where, "an object", value)
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        _wrong(name, "text", value)
    return value or ""


def _texts(value: Any, where: str) -> dict[str, str]:
    fields = {} if value is None else _object(value, where)
    for name, text in fields.items():
        if not isinstance(text, str):
            _wrong(f"{where}.{name[:80]}", "text", text)
    return fields


def _wrong(where: str, wanted: str, value: Any) -> NoReturn:
    found = "nothing" if value is None else ascii(value)[:120]
    raise BadManifest(f"{ascii(where)[1:-1]} should be {wanted}, and is {found}")
