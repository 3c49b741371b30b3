"""Track: what became of the builds of one service in one environment: which ran well, which is tried, and what the operator put back."""

from __future__ import annotations

from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class PutBack:
    """A hold that the operator set: it lasts while git asks for the very build that failed."""

    failed: str
    """Digest of the build that did not become healthy."""
    failed_tag: str
    digest: str
    """Of the build that runs instead."""
    tag: str
    reason: str
    """Why the other one failed, as a sentence."""


@dataclass(frozen=True, slots=True)
class Track:
    """Builds are named by digest. An empty track says nothing and is not kept."""

    healthy: str = ""
    """Was the last one seen healthy here."""
    tried: str = ""
    """Runs, or is about to, in place of another, and nobody has seen it healthy yet."""
    since: str = ""
    """When it was written (RFC 3339); empty while that is not known."""
    spent: tuple[str, ...] = ()
    """Builds that were put back once, the newest first: that is not done a second time."""
    hold: PutBack | None = None
