"""Reads an image's configuration: what runs a container, and which layers it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.core.manifest import BadManifest, parse
from pipelines.model.oci import ImageConfig
from pipelines.model.reference import DIGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_set(value: Any) -> bool:
    return isinstance(value, dict)


def _are_pairs(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


RUN: Mapping[str, Callable[[Any], bool]] = {
    "User": _is_text,
    "Env": _are_texts,
    "Entrypoint": _are_texts,
    "Cmd": _are_texts,
    "WorkingDir": _is_text,
    "Labels": _are_pairs,
    "ExposedPorts": _is_set,
    "StopSignal": _is_text,
    "Volumes": _is_set,
}
"""What of `config` is kept, and what each must be (image specification, config.md)."""


def decode_config(body: bytes) -> ImageConfig:
    """What a configuration says, dates and history left out; raises BadManifest."""
    fields = parse(body)
    told = {name: fields.get(name) or "" for name in ("architecture", "os", "variant")}
    for name, value in told.items():
        if not isinstance(value, str) or (not value and name != "variant"):
            raise BadManifest(f"the configuration says no `{name}`", "it is an artifact's configuration, or not an image at all")
    rootfs = fields.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or not all(isinstance(one, str) and DIGEST.fullmatch(one) for one in diff_ids):
        raise BadManifest("the configuration's rootfs.diff_ids should be a list of digests")
    return ImageConfig(told["architecture"], told["os"], tuple(diff_ids), _run(fields.get("config")), told["variant"])


def _run(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadManifest("the configuration's `config` should be an object")
    kept = {name: value[name] for name in RUN if value.get(name)}
    for name, found in kept.items():
        if not RUN[name](found):
            raise BadManifest(f"the configuration's {name} is {ascii(found)[:120]}")
    return kept
