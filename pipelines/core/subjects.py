"""Subjects: what of a lock is to be signed and verified."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.model.oci import Pinned
from pipelines.model.reference import parse_repository
from pipelines.model.trust import Subject
from reconciler.model.lock import Lock


def subjects(lock: Lock, registry: str, images: Collection[str] = ()) -> tuple[Subject, ...]:
    """Every build in the lock, or those of some images, by image and newest first. `registry` is the environment's: `ghcr.io/acme`."""
    return tuple(
        Subject(name, Pinned(parse_repository(f"{registry}/{name}"), build.digest), build.verdict, build.sbom)
        for name, builds in sorted(lock.images.items())
        if not images or name in images
        for build in builds.builds
    )
