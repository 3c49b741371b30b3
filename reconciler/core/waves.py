"""Waves: in which order the steps of a plan are written, and which deletions must come early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.core.acting import opens
from reconciler.model.graph import Graph, Held, Unverified
from reconciler.model.manifests import Body, Stage
from reconciler.model.plan import Create, Delete, Plan, Update
from reconciler.model.value import dataclass

Write = Create | Update


@dataclass(frozen=True, slots=True)
class Wave:
    """What is written together and waited for together. Number None: not waited for."""

    number: int | None
    writes: tuple[Write, ...]


def of_stage(plan: Plan, stage: Stage) -> tuple[Write, ...]:
    """The unguarded writes of one stage, in order."""
    return tuple(step for step in plan.steps if isinstance(step, Create | Update) and step.manifest.stage is stage and not guarded(step))


def access(plan: Plan) -> tuple[Write, ...]:
    """The writes that let tenants' accounts write: nothing of a tenant can be previewed as its account before."""
    return tuple(step for step in of_stage(plan, Stage.TENANCY) if opens(step.manifest.id))


def governance(plan: Plan) -> tuple[Write, ...]:
    """The other writes of the tenancy stage."""
    return tuple(step for step in of_stage(plan, Stage.TENANCY) if not opens(step.manifest.id))


def guarded(step: Write) -> bool:
    """Whether a guard holds this write."""
    return isinstance(step, Update) and step.guarded


def waves(plan: Plan, graph: Graph) -> Iterator[Wave]:
    """Held services first and without waiting, then wave by wave; within a wave everything else before workloads."""
    steps = of_stage(plan, Stage.WORKLOADS)
    urgent = tuple(step for step in steps if is_urgent(step, graph))
    if urgent:
        yield Wave(None, urgent)
    rest = [step for step in steps if not is_urgent(step, graph)]
    for number in sorted({step.manifest.wave for step in rest}):
        yield Wave(number, tuple(step for step in rest if step.manifest.wave == number))


def is_urgent(step: Write, graph: Graph) -> bool:
    """Whether a write serves a hold on something that runs: a rollback does not queue behind a wave."""
    choice = graph.choices.get(step.manifest.owner)
    return isinstance(step, Update) and (isinstance(choice, Held) or (isinstance(choice, Unverified) and choice.hold is not None))


def early(plan: Plan) -> tuple[Delete, ...]:
    """Unguarded deletions that free what a later step needs: a share of a GPU, a host of an Ingress, a say in the number of replicas."""
    wanted = _wanted(plan.of(Create)) | _wanted(plan.of(Update))
    return tuple(step for step in plan.of(Delete) if not step.guarded and wanted & set(_claims(step.observed.body)))


def late(plan: Plan, *, waited: bool) -> tuple[Delete, ...]:
    """The other unguarded deletions. Unless the roll was `waited` for, files that its old pods still mount stay for the next run."""
    sooner = {step.observed.id for step in early(plan)}
    rolling = set() if waited else {str(step.manifest.owner) for step in (*plan.of(Create), *plan.of(Update))}
    return tuple(
        step
        for step in plan.of(Delete)
        if not step.guarded and step.observed.id not in sooner and not (step.observed.id.kind == "ConfigMap" and step.owner in rolling)
    )


def _wanted(steps: Iterable[Any]) -> set[str]:
    return {claim for step in steps for claim in _claims(step.manifest.body)}


def _claims(body: Body) -> Iterator[str]:
    match body["kind"]:
        case "Ingress":
            yield from (f"host {rule.get('host')}" for rule in body.get("spec", {}).get("rules", ()))
        case "HorizontalPodAutoscaler":
            yield f"replicas of {body['metadata']['namespace']}/{body['spec']['scaleTargetRef']['name']}"
        case "Deployment":
            if "replicas" in body["spec"]:
                yield f"replicas of {body['metadata']['namespace']}/{body['metadata']['name']}"
            for container in body["spec"]["template"]["spec"]["containers"]:
                limits = container.get("resources", {}).get("limits", {})
                yield from (f"resource {name}" for name in limits if "/" in name)
        case _:
            return
