"""Decides what of a builder's settings an image keeps, and writes configurations and manifests: the same bytes for the same image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.model.oci import CONFIG, LAYER, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Descriptor, ImageConfig

KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "Volumes", "WorkingDir")
"""Of the `config` object (image spec, config.md). Not kept: what builders write about themselves, and what varies without the files."""
BUILDERS_LABELS = ("io.buildah.", "org.opencontainers.image.created", "org.opencontainers.image.revision", "org.opencontainers.image.base.")
LISTS = ("Cmd", "Entrypoint", "Env")
SETS = ("ExposedPorts", "Volumes")
OCI_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}
"""Docker's names for the same bytes; an OCI manifest names them by OCI's."""


class ConfigRefused(Exception):
    """A configuration that is none: of a base image or from a builder. Says which setting."""


def canonical(document: object) -> bytes:
    """JSON with sorted keys and no spaces, as UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def chosen(run: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an image keeps; empty ones are left out, so that builders which write them and builders which do not agree."""
    kept = {key: settled(key, run[key]) for key in KEPT if run.get(key)}
    return {key: value for key, value in kept.items() if value}


def settled(key: str, value: Any) -> Any:
    if key in LISTS:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ConfigRefused(f"{key} is no list of strings")
        return [*value]
    if key in SETS or key == "Labels":
        if not isinstance(value, dict):
            raise ConfigRefused(f"{key} is no object")
        return {name: each for name, each in sorted(value.items()) if not name.startswith(BUILDERS_LABELS)} if key == "Labels" else {name: {} for name in sorted(value)}
    if not isinstance(value, str):
        raise ConfigRefused(f"{key} is no string")
    return value


def configuration(config: ImageConfig) -> bytes:
    """The configuration of an image as JSON. No date and no history: both are optional, and both vary without the files."""
    document: dict[str, Any] = {
        "architecture": config.architecture,
        "config": chosen(config.run),
        "os": config.os,
        "rootfs": {"diff_ids": [*config.diff_ids], "type": "layers"},
    }
    if config.variant:
        document["variant"] = config.variant
    return canonical(document)


def read_configuration(body: bytes) -> ImageConfig:
    """The configuration of somebody's image; raises ConfigRefused for what is none."""
    try:
        document = json.loads(body)
        found = document["rootfs"]["diff_ids"]
        architecture, system = document["architecture"], document["os"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigRefused(f"the base image's configuration is none: {type(error).__name__}: {error}") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in (*found, architecture, system)):
        raise ConfigRefused("the base image's configuration is none: diff_ids, architecture and os are strings")
    return ImageConfig(architecture, system, tuple(found), document.get("config") or {}, document.get("variant") or "")


def described(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "digest": descriptor.digest,
        "mediaType": OCI_LAYERS.get(descriptor.media_type, descriptor.media_type),
        "size": descriptor.size,
    }


def manifest(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    """The manifest of an image as JSON, without annotations."""
    document = {
        "config": described(config) | {"mediaType": CONFIG},
        "layers": [described(layer) for layer in layers],
        "mediaType": MANIFEST,
        "schemaVersion": 2,
    }
    return canonical(document)
