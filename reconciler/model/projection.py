"""What the status of a custom resource says: the fleet as an operator sees it, for whoever asks the API server.

Conditions follow the API conventions (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md)
and `kstatus`: Ready tells all, Stalled is True when nothing moves by itself any more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from reconciler.model.spec import Int, Name, Spec

READY, PROGRESSING, STALLED, HELD, BLOCKED, CONFLICT = "Ready", "Progressing", "Stalled", "Held", "Blocked", "Conflict"
HISTORY = 10
"""Changes that a status remembers; the ledger has all."""
Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment (RFC 3339), in UTC."""
Line = Annotated[str, Field(max_length=1024)]
Generation = Annotated[Int, Field(ge=0)]


class Reason(StrEnum):
    """Why a condition is as it is. Each says what it makes of Ready, and which other condition it makes True."""

    ready: str
    marks: str
    """The other condition; empty where there is none."""
    about: str

    def __new__(cls, value: str, ready: str, marks: str, about: str) -> Reason:
        """A reason with what it means."""
        self = str.__new__(cls, value)
        self._value_ = value
        self.ready, self.marks, self.about = ready, marks, about
        return self

    BROKEN_SPEC = "BrokenSpec", "False", STALLED, "Its file has errors; the message says where. What ran last runs on."
    DEPENDS_ON_BROKEN = "DependsOnBroken", "False", BLOCKED, "Something that it needs has errors. What ran last runs on."
    REMOVED = "Removed", "False", PROGRESSING, "It is no longer in git; what it stood for is being deleted."
    PAUSED = "Paused", "Unknown", BLOCKED, "Somebody paused it, so nothing is written, and whether all is as the spec says is not known."
    IN_CONFLICT = "Conflict", "False", CONFLICT, "Somebody else keeps writing the same fields; the message names them."
    REFUSED = "Refused", "False", STALLED, "The cluster refuses a write; the message says why. It is tried again, ever more seldom."
    AWAITING_APPROVAL = "AwaitingApproval", "False", BLOCKED, "A guard holds what would be taken down until a person approves it."
    UNPLACED = "Unplaced", "False", STALLED, "No machine of this environment can take it. What already runs of it stays."
    IMAGE_PENDING = "ImagePending", "False", BLOCKED, "There is no build to run yet. What ran last runs on."
    AWAITING_WAVE = "AwaitingWave", "False", BLOCKED, "An earlier wave is not healthy yet."
    UNHEALTHY = "Unhealthy", "False", STALLED, "It is applied, and does not become healthy by itself."
    ROLLING_OUT = "RollingOut", "False", PROGRESSING, "It is applied, and on its way to being healthy."
    PUT_BACK = "PutBack", "False", HELD, "The build that git asks for did not become healthy, so the operator holds an earlier one."
    HELD = "Held", "True", HELD, "All is as the spec says, and the spec pins it to a build."
    SUSPENDED = "Suspended", "True", "", "Its tenant is suspended: scaled to zero, schedules paused, nothing deleted."
    UNVERIFIED = "Unverified", "True", "", "It runs a tag for which no digest and no verdict is recorded."
    HEALTHY = "Healthy", "True", "", "All is as the spec says."


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
