"""What the status of a custom resource says: the fleet as an operator sees it, for whoever asks the API server.

Conditions follow the API conventions (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md)
and `kstatus`: Ready tells all, Stalled is True when nothing moves by itself any more.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from reconciler.model.spec import Int, Name, Spec

READY = "Ready"
HISTORY = 10
"""Changes that a status remembers; the ledger has all."""
Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment (RFC 3339), in UTC."""
Line = Annotated[str, Field(max_length=1024)]
Generation = Annotated[Int, Field(ge=0)]


class Condition(Spec):
    """One condition. It is written, and its time moves, only when it changes."""

    type: Literal["Ready", "Progressing", "Stalled", "Held", "Blocked", "Conflict"]
    """Ready: all is as the spec says. Progressing: on its way. Stalled: it will not get there by itself. Held: on a pinned build.
    Blocked: waits for a person or for another service. Conflict: somebody else writes the same fields."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: Generation | None = None
    """Generation of the custom resource that this was said of."""
    last_transition_time: Instant
    """When `status` last changed."""
    reason: Annotated[str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=1024)]
    """One word for programs: `Healthy`, `ImagePending`, `BrokenSpec`."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """A sentence for people; of a broken spec with file, line and column."""


class Placement(Spec):
    """Which machine it goes to, or why none."""

    machine: Name | None = None
    """Machine of the environment."""
    reason: Line | None = None
    """Why there is none for it."""


class Change(Spec):
    """One change that was applied."""

    at: Instant
    """When."""
    revision: Line
    """The commit that made it."""
    image: Line | None = None
    """Image with its tag from then on."""
    digest: Line | None = None
    """Digest of that image."""
    reason: Line | None = None
    """Why: a commit, a hold, a repaired drift."""


class Standing(Spec):
    """How a resource stands. An operator writes it, and only when it changes."""

    observed_generation: Generation | None = None
    """Generation of the custom resource that all below is about."""
    revision: Line | None = None
    """The commit that last changed this resource."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """What is on and what is wrong, one of each type."""
    placement: Placement | None = None
    """Where it runs; only for what goes to a machine."""
    image: Line | None = None
    """Image with its tag: `service-registry:20261118-4be1d07`."""
    digest: Line | None = None
    """Digest of that image."""
    last_change: Change | None = None
    """The last change that was applied."""
    history: Annotated[tuple[Change, ...], Field(max_length=HISTORY)] = ()
    """Changes before that, the newest first."""
