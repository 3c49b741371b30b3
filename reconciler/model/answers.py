"""Answers of a target: it took an object, or it said no."""

from __future__ import annotations

from reconciler.model.manifests import Body
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The target took the object, or would take it; `body` is what stands there then."""

    body: Body
    created: bool
    """There was no such object before (HTTP 201)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The target's answer was no. `status` and `reason` are those of a Kubernetes Status object."""

    status: int
    reason: str
    message: str
    fields: tuple[str, ...] = ()
    """Paths of the fields that were refused, where it says so."""
    managers: tuple[str, ...] = ()
    """Other field managers, where the refusal is a conflict of ownership."""


Answer = Accepted | Refused
