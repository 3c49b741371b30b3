"""How long an expression may take, bounded before it runs.

CEL always ends, but loops nest, lists and texts grow in them, and patterns can be costly. A bound is a number of steps (about 0.1 µs each) as
a function of how large the variables are; a size counts characters of JSON, so that no value has more parts than its size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from reconciler.core.cel.tree import Call, Const, Ident, Literal, Loop, Node, Select, children, shape, walk

MAX_STEPS = 10_000_000
"""Of one evaluation: about a second at the very worst."""
NOMINAL = 1_024
"""Size of variables that every rule must be able to judge: a spec of some length."""
_DOUBLINGS = 14
LARGEST = NOMINAL << _DOUBLINGS
"""Sizes beyond this are not looked for: 16 MiB."""
ITERATIONS = 10_000
"""The engine itself gives up after so many in one evaluation, all loops together."""
MAX_NESTING = 4
FIXED = {"today": 12}
"""Variables that have one size whatever the spec."""
_MAX_PATTERN = 5_000
_NUMBER = 32
"""Characters of the longest number as text."""

_CONSTANT = frozenset(
    {"_&&_", "_||_", "!_", "@not_strictly_false", "_-_", "_*_", "_/_", "_%_", "-_", "int", "uint", "double", "bool", "duration", "timestamp",
     "type", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds",
     "getMilliseconds"}
)  # fmt: skip
_COMPARING = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith"})
"""Done when the smaller side is."""
_LINEAR = frozenset({"@in", "size", "contains"})
FUNCTIONS = _CONSTANT | _COMPARING | _LINEAR | {"_+_", "_[_]", "_?_:_", "matches", "string", "dyn"}
"""All that a rule may call."""
_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")


class Costly(Exception):
    """An expression that no bound can be given for; the message says why. `node` is the one to blame."""

    def __init__(self, message: str, node: Node) -> None:
        super().__init__(message)
        self.node = node


class Cost(NamedTuple):
    """Steps to compute a value, and its size."""

    steps: int
    size: int


def capacity(root: Node, maps: frozenset[int] = frozenset()) -> int:
    """The largest size of all its variables together, out of NOMINAL and its doublings, with which an expression stays below MAX_STEPS.

    `maps` are the loops and the `in`, by id, that are about keys of a map. Raises Costly where that is less than NOMINAL, or cannot be said.
    """
    _judge(root)
    question = _Question(root, frozenset(node.name for node in walk(root) if isinstance(node, Ident)), maps)
    if question.steps(NOMINAL) > MAX_STEPS:
        raise Costly(f"it may take more than {MAX_STEPS:,} steps on a spec of {NOMINAL:,} characters", _deepest(root))
    if question.ends(LARGEST):
        return LARGEST
    low, high = 0, _DOUBLINGS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if question.ends(NOMINAL << middle) else (low, middle)
    return NOMINAL << low


class _Question(NamedTuple):
    """How long an expression takes, asked for several sizes."""

    root: Node
    names: frozenset[str]
    maps: frozenset[int]

    def steps(self, size: int) -> int:
        """A bound from the expression alone."""
        return self._bound(size).of(self.root).steps

    def ends(self, size: int) -> bool:
        """Whether it stays below MAX_STEPS, by that bound or by the engine's own limit on iterations."""
        if self.steps(size) <= MAX_STEPS:
            return True
        flat = self._bound(size, flat=True)
        outside = flat.of(self.root).steps
        return outside + ITERATIONS * max(flat.bodies, default=0) <= MAX_STEPS

    def _bound(self, size: int, *, flat: bool = False) -> _Bound:
        return _Bound({name: FIXED.get(name, size) for name in self.names}, self.maps, flat=flat)


@dataclass(slots=True)
class _Bound:
    """Bounds of nodes while names have these sizes. `flat` counts no iterations, but notes in `bodies` what one costs in each loop."""

    sizes: Mapping[str, int]
    maps: frozenset[int]
    entries: Mapping[tuple[Any, str], int] = field(default_factory=dict)
    """(a map, the name that goes through its keys) -> size of one entry: all entries together are no larger than the map."""
    flat: bool = False
    bodies: list[int] = field(default_factory=list)

    def of(self, node: Node) -> Cost:
        match node:
            case Const(value=value):
                return Cost(1, 1 + len(str(value)))
            case Ident(name=name):
                return Cost(1, self.sizes[name])
            case Select(operand=operand):
                inner = self.of(operand)
                return Cost(inner.steps + 1, 1 if node.tests else inner.size)
            case Literal(parts=parts):
                costs = [self.of(part) for part in parts]
                return Cost(1 + sum(cost.steps for cost in costs), 1 + sum(cost.size + 1 for cost in costs))
            case Call():
                return self._call(node)
            case Loop():
                return self._loop(node)

    def _call(self, node: Call) -> Cost:
        costs = [self.of(operand) for operand in node.operands]
        steps, sizes = 1 + sum(cost.steps for cost in costs), sum(cost.size for cost in costs)
        match node.function:
            case name if name in _CONSTANT:
                return Cost(steps, 1)
            case name if name in _COMPARING:
                return Cost(steps + 2 * min(cost.size for cost in costs), 1)
            case "@in" if node.id in self.maps:
                return Cost(steps + costs[0].size, 1)
            case name if name in _LINEAR:
                return Cost(steps + sizes, 1)
            case "_+_" | "dyn":
                return Cost(steps + sizes, sizes)
            case "string":
                return Cost(steps + sizes, sizes + _NUMBER)
            case "_[_]":
                container, index = node.operands
                entry = self.entries.get((shape(container), index.name)) if isinstance(index, Ident) else None
                return Cost(steps, costs[0].size if entry is None else entry)
            case "_?_:_":
                return Cost(steps, max(cost.size for cost in costs[1:]))
            case "matches":
                weight = _weight(node)
                return Cost(steps + 4 * weight + costs[0].size * (1 + weight // 16), 1)
            case name:
                raise Costly(f"the function {name!r} is not for rules", node)

    def _loop(self, node: Loop) -> Cost:
        over, initial = self.of(node.range), self.of(node.initial)
        gathers = isinstance(node.initial, Literal)
        least, most = self._body(node, 0), self._body(node, over.size)
        rounds = over.size // 2
        # Elements together are no larger than the whole, and bounds grow at least in proportion: the sum over all elements is at most
        # what an empty element costs, each time, and what the whole costs beyond that, once.
        appended = Cost(least.steps * rounds + most.steps - least.steps, 1 + (least.size + 1) * rounds + most.size - least.size)
        copying = rounds * rounds // 4 if gathers else 0  # the engine copies a gathered list whenever it grows
        if self.flat:
            self.bodies.append(most.steps + (min(rounds, ITERATIONS) // 4 if gathers else 0))
            loop = 0
        else:
            loop = appended.steps + copying
        size = appended.size if gathers else 1
        result = replace(self, sizes={**self.sizes, node.accumulator: size}).of(node.result)
        return Cost(over.steps + initial.steps + loop + result.steps, max(result.size, size))

    def _body(self, node: Loop, element: int) -> Cost:
        """One iteration over an element of that size; the size is that of what it adds to a gathered list."""
        bound = {node.variable, node.accumulator}
        entries = {known: size for known, size in self.entries.items() if known[1] not in bound and not bound & _names(known[0])}
        if node.id in self.maps:
            entries[shape(node.range), node.variable] = element
        inner = replace(self, sizes={**self.sizes, node.variable: element, node.accumulator: 1}, entries=entries)
        step, condition = inner.of(node.step), inner.of(node.condition)
        return Cost(step.steps + condition.steps + 1, step.size)


def _names(shape: tuple[Any, ...]) -> set[str]:
    """The variables that a shape reads."""
    if shape[0] == "name":
        return {shape[1]}
    return set().union(*(_names(part) for part in shape if isinstance(part, tuple)))


def _weight(node: Call) -> int:
    """How large a pattern becomes when it is compiled. Patterns are compiled at each call."""
    pattern = node.operands[1] if len(node.operands) > 1 else None
    if not isinstance(pattern, Const) or not isinstance(pattern.value, str):
        raise Costly("the pattern of `matches` must be written out, not computed", node)
    weight = 1 + len(pattern.value)
    for low, high in _REPEAT.findall(pattern.value):
        weight *= max(1, int(low or 0), int(high or 0))
    if weight > _MAX_PATTERN:
        raise Costly("the pattern of `matches` is too large: mind its counted repetitions", pattern)
    return weight


def _judge(root: Node, depth: int = 0) -> None:
    if isinstance(root, Loop):
        depth += 1
        if depth > MAX_NESTING:
            raise Costly(f"loops are nested deeper than {MAX_NESTING}", root)
        for part in (root.condition, root.step):
            _judge(part, depth)
        for part in (root.range, root.initial, root.result):
            _judge(part, depth - 1)
        return
    for child in children(root):
        _judge(child, depth)


def _deepest(root: Node) -> Node:
    """The innermost loop: the one to look at first."""
    loops = [node for node in walk(root) if isinstance(node, Loop)]
    return loops[-1] if loops else root
