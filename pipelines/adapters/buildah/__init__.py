"""The builder for machines without an engine: buildah (Debian 12 has 1.28.2), as subprocesses over a storage of its own."""

from pipelines.adapters.buildah.builder import Buildah
from pipelines.adapters.buildah.settings import Settings

__all__ = ["Buildah", "Settings"]
