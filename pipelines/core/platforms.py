"""Chooses the image for a platform out of an index."""

from __future__ import annotations

from pipelines.core.manifest import BadManifest
from pipelines.model.oci import Descriptor, ImageIndex

_UNSAID = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""The variant that is meant where none is said (containerd, platforms.Normalize)."""


class NoPlatform(BadManifest):
    """An index without an image for the platform. Says which there are."""


def choose(index: ImageIndex, platform: str) -> Descriptor:
    """The first manifest for `linux/amd64`; raises NoPlatform."""
    wanted = _normal(platform)
    for found in index.manifests:
        if found.platform and _normal(found.platform) == wanted:
            return found
    there = sorted({found.platform for found in index.manifests} - {"", "unknown/unknown"})  # attestations of BuildKit say unknown
    names = ascii(", ".join(there[:12]))[1:-1] or "no platform at all"
    raise NoPlatform(f"there is nothing for {platform}, only for {names}", "build for one of these, or start from another image")


def _normal(platform: str) -> tuple[str, str, str]:
    system, _, machine = platform.partition("/")
    architecture, _, variant = machine.partition("/")
    return system, architecture, variant or _UNSAID.get(architecture, "")
