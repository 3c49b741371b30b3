"""Publication: which tags a registry should have for what a lock names."""

from __future__ import annotations

from pipelines.core.tags import PREVIOUS, previous_tag
from reconciler.model.lock import Build, Builds


def tags(builds: Builds) -> dict[str, str]:
    """Tag -> digest: each build's own, `prev`, and `TAG-prev` for what would come back if TAG, the current one, went."""
    found = {build.tag: build.digest for build in reversed(builds.builds) if not build.bad}
    if builds.previous is not None:
        found |= {PREVIOUS: builds.previous.digest, previous_tag(builds.current.tag): builds.previous.digest}
    return found


def is_by_hand(build: Build) -> bool:
    """Whether people entered it: nobody built it here and nobody judged it, so there is nothing that a signature could vouch for."""
    return not build.key and not build.verdict
