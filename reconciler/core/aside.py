"""Aside: a plan without the owners that are left out of it for now: paused, refused, or waiting to be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update


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


def aside(plan: Plan, owners: Mapping[str, str]) -> Plan:
    """The plan without every step of these owners. Its hash stays that of the whole plan: it is what approvals bind to."""
    steps = tuple(step for step in plan.steps if owner_of_step(step) not in owners)
    return plan if len(steps) == len(plan.steps) else replace(plan, steps=steps)
