"""What dry-runs have found equal: remembered by uid, version and desired digest, so that a quantity spelt otherwise is asked about once.

Within one process also what comparing found alike: who looks again, every minute, compares what has changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.manifests import Manifest, Observed


class Equality:
    """A set of "equal after all". Losing it costs dry-runs, nothing else."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._asked: set[str] = set()
        self._before: set[int] = set()
        self._alike: set[int] = set()

    def is_equal(self, manifest: Manifest, observed: Observed) -> bool:
        """Whether this live version was found equal to this desired digest."""
        key = _key(manifest, observed)
        if key in self._known:
            self._asked.add(key)
            return True
        return False

    def remember(self, manifest: Manifest, observed: Observed) -> None:
        """A dry-run changed nothing."""
        key = _key(manifest, observed)
        self._known.add(key)
        self._asked.add(key)

    def look(self) -> None:
        """A look at everything begins. What the one before it found alike is known; what this one does not find again is let go."""
        self._before, self._alike = self._alike, set()

    def is_alike(self, manifest: Manifest, observed: Observed) -> bool:
        """Whether the look before compared this live version with this desired digest already, and they were alike, or a dry-run said so."""
        return self.is_equal(manifest, observed) or hash(_key(manifest, observed)) in self._before

    def alike(self, manifest: Manifest, observed: Observed) -> None:
        """They are, by comparison."""
        self._alike.add(hash(_key(manifest, observed)))  # the texts of forty thousand objects are seven megabytes

    def kept(self) -> frozenset[str]:
        """What was asked about since this was made: what is worth keeping."""
        return frozenset(self._asked)


def _key(manifest: Manifest, observed: Observed) -> str:
    return f"{observed.uid} {observed.resource_version} {manifest.digest}"
