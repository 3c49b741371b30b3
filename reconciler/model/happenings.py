"""Happenings: what an operator tells of itself as it goes. Metrics, logs, events and notifications are all made of these.

A closed union: a new happening is a new class here, and the type checker names every place that has to say something of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from reconciler.model.value import dataclass


class SourceState(StrEnum):
    """How the repository stands that is followed."""

    FOLLOWED = "followed"
    """The newest commit of the branch is known and may be applied."""
    UNAVAILABLE = "unavailable"
    """It cannot be reached or read; what was applied last stays."""
    GONE = "gone"
    """The branch is not there any more; what was applied last stays."""
    REWOUND = "rewound"
    """The branch no longer holds the commit that was applied last: a person has to approve it."""
    UNVERIFIED = "unverified"
    """The newest commit is not signed by a key that `fleet.yaml` trusts; it is not applied."""
    BROKEN = "broken"
    """`fleet.yaml` does not stand at the newest commit, or there is no spec at all; what was applied last stays."""


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """The source is in another state than before, or at another commit."""

    state: SourceState
    revision: str
    """The newest commit that is known; empty before the first."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunBegan:
    """An attempt to reach a revision begins."""

    run: str
    revision: str
    because: str
    """What woke it: `commit`, `resync`, `drift`, `asked`, `healed`, `fallback`."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """It ended."""

    run: str
    revision: str
    ending: Ending
    message: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By phase: `read`, `plan`, `apply`, `project`."""
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class DriftRepaired:
    """An object was not as it was last applied, and is again."""

    id: ObjectId
    owner: Ref
    fields: tuple[str, ...]
    """JSON pointers of what differed; empty where the object was gone."""
    managers: tuple[str, ...]
    """Field managers other than ours, as far as they are known."""
    seconds: float
    """From the moment it was seen."""


@dataclass(frozen=True, slots=True)
class ConditionChanged:
    """A condition of a resource is another than before."""

    ref: Ref
    namespace: str
    """Of its custom resource; empty where that is cluster-scoped."""
    type: str
    before: str
    """`True`, `False`, `Unknown`, or empty where it is new."""
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ConflictFound:
    """Somebody else keeps writing a field of ours; the resource is left alone for a while."""

    id: ObjectId
    owner: Ref
    managers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """A run waits for a person."""

    run: str
    hash: str
    """What an approval binds to: a plan's hash, or a commit."""
    message: str


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """This operator holds the Lease of its environment, or does not any more."""

    held: bool
    holder: str


@dataclass(frozen=True, slots=True)
class PauseChanged:
    """Somebody paused a resource, a tenant or everything, or lifted that."""

    what: str
    """`Service/platform/web`, `Tenant/platform` or `all`."""
    until: datetime | None
    paused: bool


@dataclass(frozen=True, slots=True)
class BuildPutBack:
    """A new build did not become healthy, and an earlier one is held in its place until git or a person says otherwise."""

    ref: Ref
    namespace: str
    """Of its custom resource."""
    failed: str
    """Tag of the build that failed."""
    tag: str
    """Of the one that is put back."""
    message: str
    """What its condition Held says."""
    reason: str = ""
    """Why it was given up."""


@dataclass(frozen=True, slots=True)
class VulnerabilitiesFound:
    """An image that is built has vulnerabilities that its verdict did not know of, or has none of these any more."""

    image: str
    digest: str
    ids: tuple[str, ...]
    """Those that are new, or matter now and did not; empty where that is over."""
    passed: bool
    """Whether it would pass its gate today."""
    services: tuple[str, ...]
    """That run it."""
    message: str


Happening = (
    SourceChanged
    | RunBegan
    | RunEnded
    | DriftRepaired
    | ConditionChanged
    | ConflictFound
    | ApprovalNeeded
    | LeaseChanged
    | PauseChanged
    | BuildPutBack
    | VulnerabilitiesFound
)


@dataclass(frozen=True, slots=True)
class Vitals:
    """How an operator is, at a glance: what gauges and probes are made of. Times are seconds."""

    beat: float
    """Since its loop last turned."""
    leading: bool
    revision: str
    """The commit that is applied."""
    source_age: float
    """Since the source was last fetched without fault; infinite before the first."""
    success_age: float
    """Since a run last ended with all as desired; infinite before the first."""
    queue: int
    queue_age: float
    """How long the oldest work waits."""
    holds: int
    held_guards: int
    """Steps that wait for a person."""
    paused: int
    caches: bool = False
    """Whether its watches have shown all objects once."""
    standby: bool = False
    """Another operator leads, and this one waits for it to go."""
    ready: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Resources by kind and by the reason of their condition Ready."""
