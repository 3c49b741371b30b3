"""Stored: what a registry holds under one digest, as far as cleaning up looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date

from pipelines.model.oci import Repository
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """One manifest of a repository, as a listing has it."""

    digest: str
    tags: tuple[str, ...]
    made: date | None = None
    """When it came there; None where the registry does not say."""
    id: str = ""
    """How the registry itself calls it, where that is not its digest."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest, and what it names."""

    repository: Repository
    version: Version
    blobs: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each blob and of the manifest itself, by digest."""
    children: tuple[str, ...] = ()
    """Manifests that an index names."""
    subjects: frozenset[str] = frozenset()
    """Digests that it is about: as a referrer, or by its tag as cosign has it."""

    @property
    def digest(self) -> str:
        """Its digest."""
        return self.version.digest


@dataclass(frozen=True, slots=True)
class Drop:
    """A manifest that nobody needs any more, and why it is thought so."""

    stored: Stored
    because: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What may go, papers before what they are about; what stays, and why, by repository and digest."""

    drops: tuple[Drop, ...]
    kept: Mapping[tuple[Repository, str], str]
    bytes: int
    """Of blobs and manifests that nothing needs that stays in the same repository."""
