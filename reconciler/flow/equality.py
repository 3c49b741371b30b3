"""What dry-runs have found equal: remembered by uid, version and desired digest, so that a quantity spelt otherwise is asked about once.

Within one process also what comparing found alike: who looks again, every minute, compares what has changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.manifests import Manifest, Observed

STALE = 2
"""Times as many comparisons as there are objects: each write of an object makes one more."""


class Equality:
    """A set of "equal after all". Losing it costs dry-runs and comparisons, nothing else."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._asked: set[str] = set()
        self._alike: set[int] = set()

    def is_equal(self, manifest: Manifest, observed: Observed) -> bool:
        """Whether this live version was found equal to this desired digest, by a dry-run or, in this process, by comparison."""
        key = _key(manifest, observed)
        if key in self._known:
            self._asked.add(key)
            return True
        return hash(key) in self._alike

    def remember(self, manifest: Manifest, observed: Observed) -> None:
        """A dry-run changed nothing."""
        key = _key(manifest, observed)
        self._known.add(key)
        self._asked.add(key)

    def look(self, objects: int) -> None:
        """A look at so many objects begins. Once most of what is known of comparisons is of the past, it is let go, and compared anew."""
        if len(self._alike) > STALE * objects:
            self._alike.clear()

    def alike(self, manifest: Manifest, observed: Observed) -> None:
        """Comparison found them equal."""
        self._alike.add(hash(_key(manifest, observed)))  # the texts of forty thousand objects are seven megabytes

    def kept(self) -> frozenset[str]:
        """What was asked about since this was made: what is worth keeping."""
        return frozenset(self._asked)


def _key(manifest: Manifest, observed: Observed) -> str:
    return f"{observed.uid} {observed.resource_version} {manifest.digest}"
