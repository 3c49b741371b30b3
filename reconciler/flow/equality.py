"""What dry-runs have found equal: remembered by uid, version and desired digest, so that a quantity spelt otherwise is asked about once."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.manifests import Manifest, Observed


class Equality:
    """A set of "equal after all". Losing it costs dry-runs, nothing else."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._asked: set[str] = set()

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

    def kept(self) -> frozenset[str]:
        """What was asked about since this was made: what is worth keeping."""
        return frozenset(self._asked)


def _key(manifest: Manifest, observed: Observed) -> str:
    return f"{observed.uid} {observed.resource_version} {manifest.digest}"
