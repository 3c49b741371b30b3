"""Approval: which steps of a plan wait for a person, and the plan once that person has said yes to exactly that."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reconciler.core.aside import owner_of_step
from reconciler.core.guard import taken_down
from reconciler.core.plan import hash_of
from reconciler.model.graph import Graph
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update

SHORTEST = 12
"""Characters of a hash or a commit that name it."""

Approval = Literal["none", "prune", "always"]
"""What a person can let go: nothing, what guards hold, or each plan as a whole."""


def names(approved: str, hash: str) -> bool:
    """Whether an approval is of this plan or commit."""
    return len(approved) >= SHORTEST and hash.startswith(approved)


def bound(graph: Graph, plan: Plan, mode: Approval) -> str:
    """What an approval binds to: the plan where all of it waits, else only what waits, so that nothing else can make a yes void."""
    if mode == "always":
        return plan.hash
    return hash_of(graph, [step for step in plan.steps if isinstance(step, Delete | Update) and step.guarded])


def held(plan: Plan) -> int:
    """How many objects guards keep from being taken down."""
    return taken_down(step for step in plan.steps if isinstance(step, Delete | Update) and step.guarded)


def nothing_goes(plan: Plan) -> bool:
    """Whether every step of it waits."""
    return all(isinstance(step, Delete | Update) and step.guarded for step in plan.steps)


def guarded_owners(plan: Plan) -> frozenset[str]:
    """Whose steps guards hold."""
    return frozenset(owner_of_step(step) for step in plan.steps if isinstance(step, Delete | Update) and step.guarded)


def approved(plan: Plan, hash: str, by: str, mode: Approval) -> Plan:
    """The plan as it may be carried out now: all of it once `hash` is approved, nothing of it where everything waits for that."""
    writes = any(not isinstance(step, Block) for step in plan.steps)
    if mode != "none" and names(by, hash):
        return replace(plan, steps=tuple(_released(step) for step in plan.steps)) if held(plan) else plan
    if mode == "always" and writes:
        return replace(plan, steps=tuple(step for step in plan.steps if isinstance(step, Block)))
    return plan


def asks(plan: Plan, hash: str, by: str, mode: Approval) -> str:
    """What a person would have to approve, as a sentence; empty where nothing waits for one."""
    if mode == "none" or names(by, hash):
        return ""
    number, total = held(plan), sum(not isinstance(step, Block) for step in plan.steps)
    if mode == "always" and total:
        return f"{total} steps wait for an approval: fleet approve {hash[:SHORTEST]}"
    if number:
        return f"guards hold {number} that would be taken down; if that is meant: fleet approve {hash[:SHORTEST]}"
    return ""


def _released(step: Step) -> Step:
    match step:
        case Delete() | Update():
            return replace(step, guarded=False)
        case Create() | Block():
            return step
