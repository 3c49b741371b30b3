"""Images as the OCI image specification 1.1 has them: references, descriptors, manifests, indexes, configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from reconciler.model.value import dataclass

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A repository in a registry: `ghcr.io` and `acme/family-web`."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


def below(base: str, name: str) -> Repository:
    """The repository of an image in a registry, or in a path of one: `ghcr.io/acme` and `family-web`."""
    host, _, path = base.partition("/")
    return Repository(host, f"{path}/{name}" if path else name)


@dataclass(frozen=True, slots=True, order=True)
class Pinned:
    """A manifest in a repository, by its digest: what no one can move."""

    repository: Repository
    digest: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob or another manifest: media type, `sha256:<hex>`, size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    platform: str = ""
    """`linux/amd64`, in an index; empty elsewhere."""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or index exactly as a registry has it; its digest has been checked against its bytes."""

    media_type: str
    digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """An image or an artifact: a configuration and layers, and for an artifact what it is about."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = MANIFEST
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """A list of manifests: one a platform, or the referrers of a digest."""

    manifests: tuple[Descriptor, ...]
    media_type: str = INDEX
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The configuration of an image, kept to what runs a container: no date, no history that changes, no author (image spec, config.md)."""

    architecture: str
    os: str
    diff_ids: tuple[str, ...]
    run: Mapping[str, Any] = field(default_factory=dict)
    """Its `config` object: User, Env, Entrypoint, Cmd, WorkingDir, Labels, ExposedPorts, StopSignal, Volumes; nothing else."""
    variant: str = ""
