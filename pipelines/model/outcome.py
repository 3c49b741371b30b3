"""Outcomes: what came of each image of a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconciler.model.value import dataclass

if TYPE_CHECKING:  # most runs end in nothing to do, and need no verdict
    from pipelines.model.oci import Pinned
    from pipelines.model.verdict import Verdict
    from reconciler.model.lock import Build


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The lock's current build is of this recipe, and the registry has it."""

    build: Build


@dataclass(frozen=True, slots=True)
class Passed:
    """It stands in its repository by its digest, and passed the gate today."""

    pinned: Pinned
    key: str
    verdict: Verdict
    statement: str
    """Digest of the verdict's statement, which is attached to the image."""
    sbom: str
    """Digest of the SBOM that is attached to the image."""
    sbom_size: int
    """Bytes of it."""
    is_new: bool
    """Built now; else it was found under its key."""
    seconds: float
    parts: Mapping[str, Passed] = field(default_factory=dict)
    """By platform, of an image for several: what its index joins."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of its platforms passed; the others are built elsewhere. Nothing can be deployed, and nothing started from it, until all are there."""

    passed: Mapping[str, Passed]
    """By platform."""
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate says no. Nothing of it can be deployed; it stays under its key, so that a waiver does not mean to build it again."""

    verdict: Verdict
    pinned: Pinned


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, and where."""

    phase: str
    message: str
    fix: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that it starts from did not come about."""

    because: str


Outcome = Unchanged | Passed | Part | Refused | Failed | Skipped
