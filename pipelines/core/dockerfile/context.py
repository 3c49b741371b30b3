"""Contexts: what a folder of files must be to be built from."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.core.dockerfile import codes
from reconciler.model.findings import Finding, Place
from reconciler.model.quantities import format_memory
from reconciler.model.refs import Ref

LARGEST = 64 * 1024 * 1024
"""Bytes that a context may have."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a context, after .dockerignore."""

    path: str
    """From the context's root."""
    size: int
    link: str | None = None
    """What a symbolic link says."""


def lint_context(
    folder: str, dockerfile: str, entries: Iterable[Entry], subject: Ref, place: Place, largest: int = LARGEST
) -> Iterator[Finding]:
    """Findings on the files of a context. `place` is where the spec names it."""
    files = sorted(entries, key=lambda entry: entry.path)
    if all(entry.path != dockerfile for entry in files):
        fix = "write it, or name another one in `dockerfile`" if files else "is the folder spelled as it is in the repository?"
        yield codes.MISSING.at(place, f"{folder} has no {dockerfile}", fix, subject)
    for entry in files:
        if entry.link is not None and _leads_out(entry):
            there = Place(f"{folder}/{entry.path}")
            yield codes.LINK_OUT.at(
                there, f"it leads to {entry.link}, outside of {folder}", "copy what it points to into the context", subject
            )
    size = sum(entry.size for entry in files)
    if size > largest:
        top = sorted(files, key=lambda entry: -entry.size)[:3]
        named = ", ".join(f"{entry.path} ({format_memory(entry.size)})" for entry in top)
        message = f"{folder} has {size} bytes in {len(files)} files, {largest} are allowed; the largest: {named}"
        yield codes.TOO_LARGE.at(place, message, "put what the build does not need into .dockerignore, data into a volume", subject)


def _leads_out(entry: Entry) -> bool:
    """An absolute target is one inside the image, which no builder follows while it copies; but what it means here, nobody knows."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.link or ""))
    return target.startswith(("/", "../")) or target == ".."
