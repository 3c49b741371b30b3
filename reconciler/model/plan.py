"""The plan: steps (writes), effects (what follows indirectly), notes (what is kept back)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from reconciler.model.findings import Finding
from reconciler.model.manifests import Manifest, ObjectId, Observed, Stage
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

FORMAT_VERSION = "1.0"
"""Of the plan's JSON: a new minor adds fields, a new major changes them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field: JSON pointer, value before and after. No secret value is ever in here."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a write of an object of ours would change, says the target: nothing, where it is as desired however that is spelt."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Create:
    """Write an object that is not there. `adopts` names the managers of a foreign object that is taken over."""

    manifest: Manifest
    because: tuple[str, ...]
    adopts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Write an object of ours that differs. `strips` are foreign managers of `kubectl edit` and the like whose fields go."""

    manifest: Manifest
    observed: Observed
    changes: tuple[Change, ...]
    because: tuple[str, ...]
    strips: tuple[str, ...] = ()
    guarded: bool = False
    """It takes something down (scales to zero): held until a person says so."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take down an object of ours that is no longer declared. `guarded`: held until a person says so."""

    observed: Observed
    owner: str
    stage: Stage
    because: tuple[str, ...]
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A write that cannot be done, and why. Never a silent replace."""

    id: ObjectId
    owner: str
    stage: Stage
    wave: int
    reason: str
    fix: str = ""
    conflict: bool = False
    """The object is somebody else's."""


Step = Create | Update | Delete | Block


@dataclass(frozen=True, slots=True)
class Rebuild:
    """An image is built again. `path` leads from the edited spec to it."""

    resource: Ref
    path: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Roll:
    """A workload is rolled. `path` leads from the edited spec to it."""

    resource: Ref
    path: tuple[Ref, ...]


Effect = Rebuild | Roll


class NoteKind(StrEnum):
    """What a note tells."""

    HELD = "held"
    UNPLACED = "unplaced"
    KEPT = "kept"
    PENDING = "pending"
    UNVERIFIED = "unverified"
    SUSPENDED = "suspended"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is not a step, but that a reviewer wants to know."""

    kind: NoteKind
    resource: Ref
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do. Its hash covers environment, lock and steps with desired and observed digests; approvals bind to it."""

    hash: str
    revision: str
    dirty: bool
    environment: str
    steps: tuple[Step, ...]
    effects: tuple[Effect, ...] = ()
    notes: tuple[Note, ...] = ()
    findings: tuple[Finding, ...] = ()
    unchanged: int = 0
    """Desired objects that are live as they should be."""

    def of(self, kind: type[Any]) -> Iterator[Any]:
        """Steps of one type, in order."""
        return (step for step in self.steps if isinstance(step, kind))

    @property
    def is_empty(self) -> bool:
        """Nothing to write: the target is as desired."""
        return not self.steps


def step_id(step: Step) -> ObjectId:
    """The object that a step is about: it names the step."""
    match step:
        case Create(manifest=manifest) | Update(manifest=manifest):
            return manifest.id
        case Delete(observed=observed):
            return observed.id
        case Block(id=id):
            return id
