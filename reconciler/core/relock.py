"""Relock: the text of a lock with one change made. A text with an error in it is never rewritten, since what it means is not known."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date

from reconciler.core.locking import read_lock, write_lock
from reconciler.model.findings import Finding, errors
from reconciler.model.lock import Build, Builds, Lock, ResolvedBase

Change = Callable[[Lock], Lock]


class NotRelocked(Exception):
    """The lock was left as it is. The findings say where it is wrong."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{finding.place}: {finding.message}" for finding in findings))
        self.findings = findings


class NotLocked(LookupError):
    """The lock has no such image, or no such build of it."""


def relock(path: str, data: bytes | None, change: Change) -> bytes:
    """The lock in `data` (None: there is none yet) changed, in its one canonical form; `data` itself where nothing changed.

    Raises NotRelocked, and whatever `change` does.
    """
    lock, findings = read_lock(path, data) if data is not None else (Lock(), ())
    if wrong := errors(findings):
        raise NotRelocked(wrong)
    new = change(lock)
    if new == lock and data is not None:
        return data
    written = write_lock(new)
    if wrong := errors(read_lock(path, written)[1]):
        raise NotRelocked(wrong)
    return written


def mark_bad(lock: Lock, image: str, digest: str) -> Lock:
    """The lock in which a build is never chosen as `prev` again. Raises NotLocked."""
    builds = _builds(lock, image, digest)
    marked = tuple(replace(build, bad=True) if build.digest == digest else build for build in builds.builds)
    return _with(lock, image, marked, builds.current.digest)


def make_current(lock: Lock, image: str, digest: str) -> Lock:
    """The lock in which another of an image's builds is the current one. Raises NotLocked."""
    return _with(lock, image, _builds(lock, image, digest).builds, digest)


def _builds(lock: Lock, image: str, digest: str) -> Builds:
    builds = lock.images.get(image)
    if builds is None:
        raise NotLocked(f"{image} is not in the lock")
    if not any(build.digest == digest for build in builds.builds):
        raise NotLocked(f"the lock has no build {digest[:19]} of {image}")
    return builds


def _with(lock: Lock, image: str, builds: tuple[Build, ...], current: str) -> Lock:
    found = next(build for build in builds if build.digest == current)
    return replace(lock, images={**lock.images, image: Builds(found, builds)})


def remove_image(lock: Lock, image: str) -> Lock:
    """The lock without an image: for one that no spec declares any more. Raises NotLocked."""
    if image not in lock.images:
        raise NotLocked(f"{image} is not in the lock")
    return replace(lock, images={name: builds for name, builds in lock.images.items() if name != image})


def note_base(lock: Lock, reference: str, digest: str, today: date) -> Lock:
    """The lock with what an external base means today. The date stays while the digest does, so that looking it up changes nothing."""
    known = lock.bases.get(reference)
    if known is not None and known.digest == digest:
        return lock
    return replace(lock, bases={**lock.bases, reference: ResolvedBase(digest, today)})


def forget_bases(lock: Lock, used: Collection[str]) -> Lock:
    """The lock without the bases that nothing starts from any more."""
    return replace(lock, bases={name: base for name, base in lock.bases.items() if name in used})
