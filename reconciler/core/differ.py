"""Differ: which desired objects need the server's opinion, because they are new or seem to differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.core.ownership import fields_of, strippable
from reconciler.core.replacements import replacements
from reconciler.model.manifests import Manifest, ObjectId, Observed

Equal = Callable[[Manifest, Observed], bool]
"""Whether this live version is known to be equal to this desired digest, so that nobody has to compare them."""


def never_equal(_manifest: Manifest, _observed: Observed) -> bool:
    """Nothing is remembered."""
    return False


def differ(desired: tuple[Manifest, ...], observed: Mapping[ObjectId, Observed], is_equal: Equal = never_equal) -> tuple[Manifest, ...]:
    """The desired objects to preview: new ones, and those whose owned fields seem to differ."""
    return tuple(manifest for manifest in desired if not _is_settled(manifest, observed.get(manifest.id), is_equal))


def _is_settled(manifest: Manifest, live: Observed | None, is_equal: Equal) -> bool:
    if live is None or strippable(live.body):
        return False
    fields = fields_of(live.body)
    if fields is None:
        return False
    return is_equal(manifest, live) or replacements(manifest.body, live.body, fields) == ()
