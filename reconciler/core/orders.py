"""Orders: annotations by which people talk to an operator. They count also when git cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from reconciler.model.manifests import Body
from reconciler.model.value import dataclass

PAUSED = "fleetwright.dev/paused"
"""On a custom resource, or on the record of the environment for everything: `true`, or until when (RFC 3339)."""
RECONCILE = "fleetwright.dev/reconcile"
"""Any new value asks for a pass now."""
APPROVED = "fleetwright.dev/approved"
"""On the record: the hash of a plan, or a commit, that a person has approved."""
RELEASE = "fleetwright.dev/release"
"""On the custom resource of a service: digest or tag of the build that the operator gave up, and that is to be tried again."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the annotations of one object ask for."""

    paused: bool = False
    until: datetime | None = None
    reconcile: str = ""
    approved: str = ""
    release: str = ""

    def pauses(self, now: datetime) -> bool:
        """Whether it asks for a pause that is not over."""
        return self.paused and (self.until is None or now < self.until)


def orders(body: Body) -> Orders:
    """The orders on an object. A date that is none pauses without end: whoever wrote it meant to stop something."""
    return given(body["metadata"].get("annotations") or {})


def given(annotations: Mapping[str, str]) -> Orders:
    """The orders among these annotations."""
    said = annotations.get(PAUSED, "")
    paused = said not in ("", "false")
    return Orders(
        paused,
        moment(said) if paused else None,
        annotations.get(RECONCILE, ""),
        annotations.get(APPROVED, ""),
        annotations.get(RELEASE, ""),
    )


def moment(text: str) -> datetime | None:
    """A moment in RFC 3339; without a zone it is in UTC. None where it is no moment."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
