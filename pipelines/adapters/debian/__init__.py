"""Base images out of Debian packages, by apt and mmdebstrap: resolved to names, versions and hashes, then assembled from exactly those."""

from pipelines.adapters.debian.bases import Bases
from pipelines.adapters.debian.settings import Settings

__all__ = ["Bases", "Settings"]
