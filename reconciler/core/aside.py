"""Aside: a plan without the owners that are left out of it for now: paused, refused, or waiting to be tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from reconciler.model.manifests import ObjectId
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update, step_id
from reconciler.model.result import Outcome, Status


def owner_of_step(step: Step) -> str:
    """The spec that a step is for: `Service/platform/web`."""
    match step:
        case Create(manifest=manifest) | Update(manifest=manifest):
            return str(manifest.owner)
        case Delete(owner=owner) | Block(owner=owner):
            return owner


def blocked(plan: Plan) -> dict[str, str]:
    """Owners of what cannot be written, with the first reason of each."""
    found: dict[str, str] = {}
    for block in plan.of(Block):
        found.setdefault(block.owner, f"{block.id}: {block.reason}; {block.fix}")
    return found


def left(planned: Plan, doing: Plan, why: Mapping[str, str]) -> tuple[Outcome, ...]:
    """What a run leaves out of what was planned, or may not do; `why` by owner, else a guard holds it."""
    begun = {step_id(step) for step in doing.steps if not is_guarded(step)}
    return tuple(
        Outcome(
            step_id(step),
            type(step).__name__.lower(),
            Status.BLOCKED,
            why.get(owner_of_step(step), "a guard holds it"),
            owner_of_step(step),
        )
        for step in planned.steps
        if step_id(step) not in begun
    )


def without(plan: Plan, ids: Iterable[ObjectId]) -> Plan:
    """The plan without the steps of these objects."""
    gone = frozenset(ids)
    return replace(plan, steps=tuple(step for step in plan.steps if step_id(step) not in gone))


def is_guarded(step: Step) -> bool:
    """Whether a guard holds it."""
    return isinstance(step, Delete | Update) and step.guarded


def aside(plan: Plan, owners: Mapping[str, str], objects: Collection[ObjectId] = ()) -> Plan:
    """The plan without the steps of these owners, and of these objects. Its hash stays that of the whole plan."""
    steps = tuple(step for step in plan.steps if owner_of_step(step) not in owners and step_id(step) not in objects)
    return plan if len(steps) == len(plan.steps) else replace(plan, steps=steps)
