"""The header: what a report of a plan tells beyond the plan itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.lock import Lock
from reconciler.model.plan import Plan
from reconciler.model.value import dataclass
from reconciler.shell.report.plan_escape import visible

_SHORT = 7
_LONG = 40


@dataclass(frozen=True, slots=True)
class Header:
    """Which fleet is planned from where to where."""

    fleet: str = ""
    target: str = ""
    """Where the environment lives: `kubernetes, context fleet`."""
    edited: int | None = None
    """Files of the work tree that differ from the revision, where somebody counted them."""
    simulated: bool = False
    against: str = ""
    """The revision compared with, where no target was read."""
    default: bool = False
    """The environment is the one of a bare command, so hints need not name it."""
    waves: Mapping[int, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Digest -> tag, as the lock tells."""


def header_of(graph: Graph, *, edited: int | None = None, against: str = "", place: str = "", locks: Iterable[Lock] = ()) -> Header:
    """The header of a plan of `graph`. `place` is how the target names itself; `locks` are further ones that know tags."""
    spec = graph.fleet.spec
    return Header(
        fleet=graph.fleet.name,
        target=place or _target(graph.environment),
        edited=edited,
        simulated=graph.environment.simulated,
        against=against,
        default=spec is not None and spec.default_environment == graph.environment.name,
        waves=spec.waves if spec is not None else {},
        tags={build.digest: build.tag for lock in (*locks, graph.lock) for builds in lock.images.values() for build in builds.builds},
    )


def _target(environment: Environment) -> str:
    kubernetes = environment.target.kubernetes
    if kubernetes is None:
        return "local" if environment.target.local is not None else "memory"
    if kubernetes.context:
        return f"kubernetes, context {kubernetes.context}"
    return f"kubernetes, {kubernetes.kubeconfig or 'current context'}"


def headline(plan: Plan, header: Header) -> str:
    """`reference @ 9f3c2ab + 2 edited files -> production (kubernetes, context fleet)`."""
    target = f" ({header.target})" if header.target and not header.against else ""
    simulated = " (simulated)" if header.simulated and "simulated" not in target else ""
    return visible(f"{source(plan, header)} -> {plan.environment}{target}{simulated}")


def source(plan: Plan, header: Header) -> str:
    """`reference @ 9f3c2ab + 2 edited files`."""
    against = f", against {shortened(header.against)}" if header.against else ""
    return visible(" @ ".join(filter(None, (header.fleet, shortened(plan.revision)))) + _edited(plan, header) + against)


def shortened(revision: str) -> str:
    """A commit as people write it; any other name of a revision as it is."""
    is_commit = len(revision) == _LONG and all(letter in "0123456789abcdef" for letter in revision)
    return revision[:_SHORT] if is_commit else revision


def _edited(plan: Plan, header: Header) -> str:
    if not plan.dirty:
        return ""
    match header.edited:
        case None | 0:
            return " + edited files"
        case 1:
            return " + 1 edited file"
        case number:
            return f" + {number} edited files"


def option(plan: Plan, header: Header) -> str:
    """` --env production`, where a bare command would not mean it."""
    return "" if header.default else f" --env {visible(plan.environment)}"
