"""QA: a wave that was written waits for a person's word before the next one begins, where the environment asks for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.approval import Question, brief, names
from reconciler.core.aside import owner_of_step
from reconciler.core.inventory import Inventory
from reconciler.core.waves import is_urgent
from reconciler.model.canonical import digest
from reconciler.model.graph import Graph
from reconciler.model.manifests import Manifest, ObjectId, Stage
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update, step_id


def unjudged(desired: Iterable[Manifest], inventory: Inventory) -> frozenset[ObjectId]:
    """What a run changed, and nobody has judged yet."""
    return frozenset(one.id for one in desired if one.id in inventory.entries and inventory.entries[one.id].unjudged)


def wave_hash(environment_id: str, number: int, manifests: Iterable[Manifest]) -> str:
    """What the word on a wave binds to: its number, and exactly what was written in it."""
    return digest([environment_id, number, sorted([str(one.id), one.digest] for one in manifests)])


def first_unjudged(graph: Graph, desired: Iterable[Manifest], waiting: frozenset[ObjectId], by: str, before: int) -> tuple[int, str] | None:
    """The first wave before this one that waits for a word, and what that word would name."""
    waves: dict[int, list[Manifest]] = defaultdict(list)
    for manifest in desired:
        if manifest.id in waiting and manifest.wave < before:
            waves[manifest.wave].append(manifest)
    hashes = {number: wave_hash(graph.environment.id, number, waves[number]) for number in sorted(waves)}
    return next(((number, word) for number, word in hashes.items() if not names(by, word)), None)


def question(plan: Plan, graph: Graph, number: int, hash: str) -> Question:
    """What a person is asked of a wave that is healthy."""
    owners = frozenset(owner_of_step(step) for step in plan.steps if _is_behind(step, graph, number))
    name = graph.fleet.spec.waves.get(number, "") if graph.fleet.spec is not None else ""
    text = f"wave {number}{f' ({name})' if name else ''} is healthy, and waits for a word before the next one: fleet approve {brief(hash)}"
    return Question(hash, text, owners)


def gated(plan: Plan, graph: Graph, desired: Iterable[Manifest], inventory: Inventory, by: str) -> tuple[Plan, Question | None]:
    """The plan without what is behind a wave that waits for nothing but a word, and the question that this is. Else all of it: a run sees."""
    numbers = {number for step in plan.steps if (number := _wave(step, graph)) is not None}
    if graph.environment.sync.qa != "approval" or not numbers:
        return plan, None
    desired = tuple(desired)
    found = first_unjudged(graph, desired, unjudged(desired, inventory), by, max(numbers))
    if found is None:
        return plan, None
    number, word = found
    waves: Mapping[ObjectId, int] = {one.id: one.wave for one in desired}
    awaited = any(entry.awaited and waves.get(id, number + 1) <= number for id, entry in inventory.entries.items())
    if awaited or min(numbers) <= number:
        return plan, None
    asked = question(plan, graph, number, word)
    return replace(plan, steps=tuple(step for step in plan.steps if not _is_behind(step, graph, number))), asked


def _wave(step: Step, graph: Graph) -> int | None:
    """The wave that a step is written in; None where it belongs to none."""
    if isinstance(step, Create | Update) and step.manifest.stage is Stage.WORKLOADS and not is_urgent(step, graph):
        return step.manifest.wave
    return None


def _is_behind(step: Step, graph: Graph, number: int) -> bool:
    """Whether a step has to wait for the word on a wave. Nothing is pruned before the last wave."""
    match step:
        case Delete():
            return True
        case Block():
            return False
        case Create() | Update():
            wave = _wave(step, graph)
            return wave is not None and wave > number


def written(plan: Plan, graph: Graph) -> frozenset[ObjectId]:
    """What a run of this plan changes in waves, and somebody has to judge."""
    if graph.environment.sync.qa != "approval":
        return frozenset()
    return frozenset(step_id(step) for step in plan.steps if _wave(step, graph) is not None)
