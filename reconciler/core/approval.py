"""Approval: which steps of a plan wait for a person, and the plan once that person has said yes to exactly this hash."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

from reconciler.core.aside import is_guarded, owner_of_step
from reconciler.core.guard import taken_down
from reconciler.core.health import waits
from reconciler.core.plan import hash_of
from reconciler.model.graph import Graph, Held, Unverified
from reconciler.model.holds import Hold
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update

SHORTEST = 12
"""Hexadecimal digits of a hash or a commit that name it."""
_ALGORITHM = "sha256:"

Approval = Literal["none", "prune", "always"]
"""What waits for a person: nothing (guards hold all the same); what guards hold, unsafe holds and what the policy blocks; or each plan as a whole."""


class Question(NamedTuple):
    """What a person is asked."""

    hash: str
    """What an approval names, whole or by its beginning."""
    text: str
    owners: frozenset[str]
    """Whose steps wait for it."""


def names(approved: str, hash: str) -> bool:
    """Whether an approval is of this plan or commit."""
    said = approved.removeprefix(_ALGORITHM)
    return len(said) >= SHORTEST and hash.removeprefix(_ALGORITHM).startswith(said)


def brief(hash: str) -> str:
    """As much of it as people see and type."""
    return hash.removeprefix(_ALGORITHM)[:SHORTEST]


def held(plan: Plan) -> int:
    """How many objects guards keep from being taken down."""
    return taken_down(step for step in plan.steps if is_guarded(step))


def nothing_goes(plan: Plan) -> bool:
    """Whether every step of it waits."""
    return all(is_guarded(step) for step in plan.steps)


def guarded_owners(plan: Plan) -> frozenset[str]:
    """Whose steps guards hold."""
    return frozenset(owner_of_step(step) for step in plan.steps if is_guarded(step))


def questions(plan: Plan, graph: Graph, by: str, mode: Approval) -> tuple[Question, ...]:
    """What a person would have to approve. Empty where nothing waits for one."""
    if mode == "none":
        return ()
    owners = frozenset(owner_of_step(step) for step in plan.steps if not isinstance(step, Block))
    if mode == "always":
        total = 0 if names(by, plan.hash) else sum(not isinstance(step, Block) for step in plan.steps)
        return (question(plan.hash, f"{total} steps wait for an approval", owners),) if total else ()
    asked = [
        question(_hash(graph, plan, owner), f"a hold on {tag} that never passed the gate would come into force on {owner}", {owner})
        for owner, tag in unsafe(plan, graph).items()
    ]
    number = held(plan)
    if number:
        asked.append(
            question(_guard_hash(graph, plan), f"guards hold {number} that would be taken down", guarded_owners(plan), "; if that is meant")
        )
    return tuple(one for one in asked if not names(by, one.hash))


def approved(plan: Plan, graph: Graph, by: str, mode: Approval) -> Plan:
    """The plan as it may be carried out now: what was approved let go, what waits for a person left out."""
    if mode == "none":
        return plan
    if mode == "always":
        return replace(plan, steps=tuple(map(_released, plan.steps) if names(by, plan.hash) else plan.of(Block)))
    waiting = {owner for owner in unsafe(plan, graph) if not names(by, _hash(graph, plan, owner))}
    is_let_go = held(plan) and names(by, _guard_hash(graph, plan))
    steps = (_released(step) if is_let_go else step for step in plan.steps if owner_of_step(step) not in waiting)
    return replace(plan, steps=tuple(steps)) if waiting or is_let_go else plan


def unsafe(plan: Plan, graph: Graph) -> Mapping[str, str]:
    """Owners on whom the plan brings into force a hold that says `unsafe`, with its tag. One that is in force already asks for nothing."""
    found = {}
    for step in plan.steps:
        if not isinstance(step, Create | Update) or not waits(step.manifest.body):
            continue
        match graph.choices.get(step.manifest.owner):
            case Held(hold=hold) | Unverified(hold=Hold() as hold) if hold.unsafe and _is_another(step):
                found[str(step.manifest.owner)] = hold.tag
            case _:
                pass
    return found


def _is_another(step: Create | Update) -> bool:
    """Whether the step changes which image runs."""
    return isinstance(step, Create) or any(change.path.endswith("/image") for change in step.changes)


def _hash(graph: Graph, plan: Plan, owner: str) -> str:
    """What an approval of one owner's steps binds to: the others may go on meanwhile."""
    return hash_of(graph, (step for step in plan.steps if owner_of_step(step) == owner))


def _guard_hash(graph: Graph, plan: Plan) -> str:
    """What an approval of what guards hold binds to: that alone, so that nothing else can make a yes void."""
    return hash_of(graph, (step for step in plan.steps if is_guarded(step)))


def question(hash: str, text: str, owners: Collection[str], but: str = "") -> Question:
    """The question with the command that answers it."""
    return Question(hash, f"{text}{but}: fleet approve {brief(hash)}", frozenset(owners))


def _released(step: Step) -> Step:
    match step:
        case Delete() | Update():
            return replace(step, guarded=False)
        case Create() | Block():
            return step
