"""Decides what of a builder's settings an image keeps, and what an image is: its parent's layers as they are, and new ones on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pipelines.core.image_config import RUN
from pipelines.core.manifest import BadManifest, encode
from pipelines.model.oci import CONFIG, LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, Document, ImageConfig, ImageManifest

OF_BUILDERS = ("io.buildah.", "org.opencontainers.image.created", "org.opencontainers.image.revision", "org.opencontainers.image.base.")
"""Labels that builders write about themselves, or that vary without the files."""
DEFAULTS = (("WorkingDir", "/"),)
"""What holds where nothing is said: Dagger says it, buildah does not, and the image is the same."""
OCI_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}
"""Docker's names for the same bytes; an OCI manifest calls them by OCI's."""


class NewLayer(NamedTuple):
    """A layer to append: how a registry has it, and what it is uncompressed."""

    descriptor: Descriptor
    diff_id: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image, without its blobs."""

    manifest: ImageManifest
    config: ImageConfig


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of an image: the same bytes for the same image."""

    manifest: Document
    config: Document


def kept(run: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an image keeps (image specification, config.md). Empty ones are left out: some builders write them, some do not.

    Raises BadManifest for a setting that is of another type than the specification's.
    """
    found = {name: run[name] for name in RUN if run.get(name) and (name, run[name]) not in DEFAULTS}
    for name, value in found.items():
        if not RUN[name](value):
            raise BadManifest(f"the builder's setting {name} is {ascii(value)[:120]}")
    for name in {"ExposedPorts", "Volumes"} & found.keys():
        found[name] = {each: {} for each in found[name]}
    if labels := {key: value for key, value in found.pop("Labels", {}).items() if not key.startswith(OF_BUILDERS)}:
        found["Labels"] = labels
    return found


def empty(platform: str) -> Image:
    """What an image `FROM scratch` starts from; `platform` is `linux/amd64`."""
    system, _, machine = platform.partition("/")
    architecture, _, variant = machine.partition("/")
    return Image(ImageManifest(Descriptor(CONFIG, "", 0), ()), ImageConfig(architecture, system, (), {}, variant))


def checked(image: Image, name: str) -> Image:
    """The image, if its two documents agree on how many layers it has; raises BadManifest."""
    layers, diff_ids = len(image.manifest.layers), len(image.config.diff_ids)
    if layers != diff_ids:
        raise BadManifest(f"{name} has {layers} layers and {diff_ids} diff_ids: its configuration is of another image", "push it anew")
    return image


def extended(parent: Image, layers: Sequence[NewLayer], run: Mapping[str, Any] | None = None) -> Image:
    """The image with new layers, and other settings unless `run` is None. Its parent's layers stay as the registry has them."""
    below = tuple(
        replace(each, media_type=OCI_LAYERS.get(each.media_type, each.media_type), annotations={}) for each in parent.manifest.layers
    )
    diff_ids = (*parent.config.diff_ids, *(layer.diff_id for layer in layers))
    config = replace(parent.config, diff_ids=diff_ids, run=kept(parent.config.run if run is None else run))
    return Image(ImageManifest(described(encode(config)), (*below, *(layer.descriptor for layer in layers))), config)


def described(document: Document) -> Descriptor:
    return Descriptor(document.media_type, document.digest, len(document.body))


def documents(image: Image) -> Documents:
    """The image's manifest and configuration as canonical JSON."""
    return Documents(encode(image.manifest), encode(image.config))
