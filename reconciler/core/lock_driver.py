"""Lock driver: what git asks of a merge driver, for the texts of locks."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.core.locking import read_lock, write_lock
from reconciler.core.merging import merge
from reconciler.model.findings import errors
from reconciler.model.lock import Lock


class Driven(NamedTuple):
    """What stays in the file: the merged lock, or where that cannot be both sides between marks; and what a person must look at."""

    data: bytes
    conflicts: tuple[str, ...]
    """Sentences. None: git goes on; some: it says that the file is in conflict."""


def drive(path: str, base: bytes, ours: bytes, theirs: bytes) -> Driven:
    """Merge three texts (gitattributes, "Defining a custom merge driver": %O, %A and %B). An empty `base`: both sides added the file."""
    if theirs in (base, ours):
        return Driven(ours, ())
    if ours == base:
        return Driven(theirs, ())
    (one, wrong), (other, about) = read_lock(path, ours), read_lock(path, theirs)
    if errors((*wrong, *about)):
        said = [
            f"{finding.place} ({side}): {finding.message}"
            for side, some in (("ours", wrong), ("theirs", about))
            for finding in errors(some)
        ]
        return Driven(_side_by_side(ours, theirs), tuple(said))
    before = read_lock(path, base)[0] if base.strip() else Lock()
    merged = merge(before, one, other)
    same = [text for lock, text in ((one, ours), (other, theirs)) if lock == merged.lock]
    conflicts = tuple(f"{conflict.where}: {conflict.message}" for conflict in merged.conflicts)
    return Driven(same[0] if same else write_lock(merged.lock), conflicts)


def _side_by_side(ours: bytes, theirs: bytes) -> bytes:
    parts = (b"<<<<<<< ours", ours.removesuffix(b"\n"), b"=======", theirs.removesuffix(b"\n"), b">>>>>>> theirs", b"")
    return b"\n".join(parts)
