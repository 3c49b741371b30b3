"""Status for people and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import orjson

from reconciler.core.condition import Condition, State
from reconciler.core.journal import Journal
from reconciler.core.world import World
from reconciler.model.graph import Graph
from reconciler.shell.report.plan_escape import visible

_COLOR = {State.FAILED: "31", State.PROGRESSING: "33", State.ABSENT: "33", State.PENDING: "33", State.KEPT: "33", State.HEALTHY: "32"}
_SHOWN = 6
_FALLEN = 5
"""Builds that were put back last: so many are shown."""


def status_text(
    found: tuple[Condition, ...], graph: Graph, world: World, told: Journal, place: str, *, everything: bool, color: bool
) -> str:
    """One line of counts, then what is not as it should be, then holds."""
    revision = world.inventory.revision[:7] + ("+edited" if world.inventory.revision.endswith("+edited") else "")
    applied = f"last applied {revision}" if world.inventory.exists else "nothing applied yet"
    lines = [f"{graph.fleet.name} -> {graph.environment.name} ({place}); {applied}", *map(visible, operator_lines(told)), ""]
    counts = Counter(one.state for one in found)
    lines.append(", ".join(f"{counts[state]} {_paint(state, color)}" for state in reversed(State) if counts[state]) or "no services")
    lines += [*_states(found, everything=everything, color=color), *_holds(found)]
    return "\n".join(lines) + "\n"


def operator_lines(told: Journal) -> Iterable[str]:
    """Who leads, how its repository stands, and what waits for a person; nothing where no operator ever led."""
    if told.holder:
        yield f"{told.holder}; the repository is {told.source} at {told.revision[:7]}" + (f": {told.message}" if told.message else "")
    yield from (f"waits for a person: {one.question}" for one in told.asked)
    yield from (f"{one.at[:19].replace('T', ' ')} {one.what}: {one.message}" for one in told.fallen[:_FALLEN])


def _states(found: tuple[Condition, ...], *, everything: bool, color: bool) -> Iterable[str]:
    shown = [one for one in found if everything or one.state is not State.HEALTHY]
    alike: dict[tuple[State, str], list[Condition]] = defaultdict(list)
    for one in shown:
        alike[one.state, one.detail].append(one)
    if shown:
        yield ""
    for (state, detail), group in alike.items():
        if everything or len(group) == 1:
            for one in group:
                tail = "  ".join(part for part in (one.machine, one.image, detail) if part)
                yield f"  {_paint(state, color, 12)}{one.resource.short:<40}{tail}".rstrip()
        else:
            names = ", ".join(one.resource.short for one in group[:_SHOWN]) + (
                f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
            )
            yield f"  {_paint(state, color, 12)}{len(group)} services: {detail}"
            yield f"  {'':12}{names}"


def _holds(found: tuple[Condition, ...]) -> Iterable[str]:
    held = [one for one in found if one.held]
    if held:
        yield ""
        yield "holds"
        yield from (f"  {one.resource.short:<40}{one.held}" for one in held)


def _paint(state: State, color: bool, width: int = 0) -> str:
    text = f"{state.value:<{width}}"
    return f"\033[{_COLOR[state]}m{text}\033[0m" if color and state in _COLOR else text


def status_json(found: tuple[Condition, ...], graph: Graph, world: World, told: Journal) -> str:
    """Versioned JSON."""
    value = {
        "formatVersion": "1.0",
        "environment": graph.environment.name,
        "simulated": graph.environment.simulated,
        "revision": world.inventory.revision,
        "operator": {
            "holder": told.holder,
            "source": told.source,
            "revision": told.revision,
            "message": told.message,
            "asks": [one.hash for one in told.asked],
        },
        "services": [
            {
                "resource": str(one.resource),
                "state": one.state.value,
                "detail": one.detail,
                "machine": one.machine,
                "image": one.image,
                "held": one.held,
            }
            for one in found
        ],
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
