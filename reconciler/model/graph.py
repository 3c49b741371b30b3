"""The graph: the fleet as it is in one environment, with every reference resolved and every choice made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from reconciler.model.findings import Finding
from reconciler.model.fleet import Environment, Fleet, Resource
from reconciler.model.holds import Hold
from reconciler.model.lock import Build, Lock
from reconciler.model.refs import Ref
from reconciler.model.spec import Spec
from reconciler.model.value import dataclass

T = TypeVar("T", bound=Spec)


@dataclass(frozen=True, slots=True)
class Placed:
    """Goes to this machine of the environment."""

    machine: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Goes nowhere, and why. What already runs of it stays."""

    reason: str


Placement = Placed | Unplaced


@dataclass(frozen=True, slots=True)
class Locked:
    """Runs the lock's current build."""

    build: Build


@dataclass(frozen=True, slots=True)
class Held:
    """Pinned to a gated build."""

    build: Build
    hold: Hold
    put_back: bool = False
    """The operator did it, since the build that git asks for did not become healthy."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """Runs a tag whose digest and verdict nobody recorded: a trial without a lock, or an unsafe hold."""

    tag: str
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing may run yet; what runs stays."""

    reason: str


Choice = Locked | Held | Unverified | Missing


@dataclass(frozen=True, slots=True)
class Graph:
    """Resources in order (links before linkers) with placements and image choices. `kept` is never updated and never pruned."""

    fleet: Fleet
    environment: Environment
    lock: Lock
    resources: Mapping[Ref, Resource[Spec]]
    """In graph order, with the environment's values filled in; without what is broken or depends on it."""
    links: Mapping[Ref, tuple[Ref, ...]]
    """Linker -> what it links to."""
    backlinks: Mapping[Ref, tuple[Ref, ...]]
    """Linked -> what links to it."""
    placements: Mapping[Ref, Placement]
    choices: Mapping[Ref, Choice]
    kept: frozenset[Ref]
    findings: tuple[Finding, ...]
    digests: Mapping[str, str]
    """Content digest of each folder under `images/`."""
    documents: Mapping[str, bytes]
    """Bytes of files that packs refer to, by path from the root (`policies/**`)."""

    def get(self, ref: Ref, spec: type[T]) -> Resource[T] | None:
        """The resource of `ref`, known to have this type of spec; None where it is broken or absent."""
        resource: Resource[Any] | None = self.resources.get(ref)
        assert resource is None or isinstance(resource.spec, spec)
        return resource

    def linking(self, ref: Ref, kind: str) -> Iterable[Ref]:
        """What of `kind` links to `ref`, in graph order."""
        return (linker for linker in self.backlinks.get(ref, ()) if linker.kind == kind)

    def linked(self, ref: Ref, kind: str) -> Iterable[Ref]:
        """What of `kind` `ref` links to."""
        return (target for target in self.links.get(ref, ()) if target.kind == kind)
