"""Running: which image a workload's pods run, on which machine, and whether they run at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from reconciler.model.graph import Choice, Graph, Held, Locked, Missing, Placed, Unverified
from reconciler.model.lock import Build
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

MACHINE = "fleetwright.dev/machine"
"""Label of a machine's Kubernetes node, unless the machine names others."""
_GIT_SHA = re.compile(r"^\d{8}-([0-9a-f]{7,40})$")


@dataclass(frozen=True, slots=True)
class Running:
    """The image that a pod runs, and what the pod is told about it."""

    reference: str
    env: Mapping[str, str]


def running(registry: str, image: str, choice: Choice | None) -> Running | None:
    """What a choice means to a pod: by digest where one is known. None where nothing may run."""
    match choice:
        case Locked(build):
            return Running(f"{registry}/{image}@{build.digest}", _told(build))
        case Held(build, hold):
            return Running(f"{registry}/{image}@{build.digest}", {**_told(build), "FORCE_IMAGE_TAG": hold.tag})
        case Unverified(tag, held):
            force = {"FORCE_IMAGE_TAG": held.tag} if held is not None else {}
            return Running(f"{registry}/{image}:{tag}", {"IMAGE_TAG": tag, **_revision(tag), **force})
        case Missing() | None:
            return None
        case _:
            assert_never(choice)


def _told(build: Build) -> dict[str, str]:
    return {"IMAGE_DIGEST": build.digest, "IMAGE_TAG": build.tag, **_revision(build.tag)}


def _revision(tag: str) -> dict[str, str]:
    match = _GIT_SHA.match(tag)
    return {"GIT_SHA": match[1]} if match else {}


@dataclass(frozen=True, slots=True)
class Site:
    """Where pods go: what their machine asks of a pod."""

    node_selector: Mapping[str, str]
    pull_secret: str | None
    gpu: str
    """The resource that stands for a share of the machine's GPU."""


def site(graph: Graph, ref: Ref, machine: str) -> Site | None:
    """Where pods of `ref`, whose spec names `machine`, go in this environment; None while it is not placed."""
    placement = graph.placements.get(ref)
    if not isinstance(placement, Placed):
        return None
    here = graph.environment.machines[placement.machine]
    named = graph.fleet.spec.machines.get(machine) if graph.fleet.spec is not None else None
    # Assumed hardware has no GPU of its own: the resource is the one of the machine that it stands for.
    gpu = here.gpu or (named.gpu if named is not None else None)
    return Site(
        here.node_selector or {MACHINE: placement.machine}, graph.environment.image_pull_secret, gpu.share if gpu else "nvidia.com/gpu"
    )


def suspended(graph: Graph, tenant: str) -> bool:
    """Whether a tenant's workloads are scaled to zero and its schedules paused."""
    resource = graph.resources.get(Ref("Tenant", tenant))
    return resource is not None and getattr(resource.spec, "state", "active") == "suspended"
