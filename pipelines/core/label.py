"""Labels: the tags that a new build gets, and its entry in the lock."""

from __future__ import annotations

from datetime import date

from pipelines.core.tags import PREVIOUS, dated_tag, previous_tag
from pipelines.model.outcome import Passed
from reconciler.model.lock import Build, Lock

DIRTY = "-dirty"
_DIGITS = 6


def tag_of(lock: Lock, image: str, digest: str, revision: str, today: date) -> str:
    """`20261121-1a2b3c4`; some digits of the digest behind it where that means another build already, or no commit at all."""
    commit = revision.removesuffix(DIRTY)
    builds = lock.builds(image)
    if builds and (known := next((build for build in builds.builds if build.digest == digest), None)):
        return known.tag
    digits = digest.partition(":")[2][:_DIGITS]
    try:
        plain = dated_tag(today, commit)
    except ValueError:  # no git repository, or no commit yet
        return f"{today:%Y%m%d}-{digits}"
    taken = builds is not None and builds.tagged(plain) is not None
    return f"{plain}-{digits}" if taken or revision.endswith(DIRTY) else plain


def entry(lock: Lock, image: str, passed: Passed, revision: str, today: date) -> Build:
    """What the lock is to say of a build."""
    tag = tag_of(lock, image, passed.pinned.digest, revision, today)
    builds = lock.builds(image)
    known = next((build for build in builds.builds if build.digest == passed.pinned.digest), None) if builds else None
    return Build(passed.pinned.digest, tag, passed.key, known.built if known else today, passed.statement, passed.sbom)


def labels(lock: Lock, image: str, build: Build) -> dict[str, str]:
    """Tag -> digest in the registry: the build's own, and what comes before it as `prev` and `TAG-prev`."""
    found = {build.tag: build.digest}
    before = lock.builds(image)
    if before and before.current.digest != build.digest:
        found |= {PREVIOUS: before.current.digest, previous_tag(build.tag): before.current.digest}
    return found
