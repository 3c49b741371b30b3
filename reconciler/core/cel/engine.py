"""The only door to `cel_expr_python`: expressions compiled to something that can be asked, or to faults with their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from reconciler.core.cel.cost import FUNCTIONS, Costly, capacity
from reconciler.core.cel.fields import Unknown, read_fields
from reconciler.core.cel.tree import Ident, Node, Tree, decode, walk
from reconciler.core.suggest import closest
from reconciler.model.value import dataclass

OBJECT, LINKED, PLACEMENT, TENANT, POLICY, TODAY = VARIABLES = ("object", "linked", "placement", "tenant", "policy", "today")
_REPORT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_MACROS = ("all", "exists", "exists_one", "filter", "has", "map")


class Flaw(StrEnum):
    """What sort of thing is wrong."""

    SYNTAX = "syntax"
    FIELD = "field"
    COST = "cost"


class Fault(NamedTuple):
    """Why an expression cannot be used: a message, and line and column (from 1) in its text."""

    line: int
    column: int
    message: str
    fix: str
    flaw: Flaw = Flaw.SYNTAX


class Unjudged(Exception):
    """An evaluation that came to no answer: a field that is not there, or more work than the engine does. The message says which."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that type-checks to a yes or no, and ends."""

    text: str
    program: Any
    tree: Tree
    reads: frozenset[str]
    """The variables it reads."""
    capacity: int
    """Largest size of those variables together that it may be asked about."""

    def holds(self, activation: Any) -> bool:
        """Its answer. Raises Unjudged."""
        return _answer(self.program, activation)


def compiled(text: str, variables: Mapping[str, Any]) -> Expression | tuple[Fault, ...]:
    """The expression, or what is wrong with it. `variables` are types as `fields` takes them."""
    from cel_expr_python import cel

    try:
        program = _environment().compile(text)
    except RuntimeError as problem:
        return tuple(_reported(text, str(problem)))
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        message = f"it gives {program.return_type().name().lower()}, not true or false"
        return (Fault(1, 1, message, "compare it with something: a rule says what holds"),)
    tree = decode(program.serialize())
    reading = read_fields(tree.root, variables)
    if reading.unknown:
        return tuple(_unknown(text, tree, unknown) for unknown in reading.unknown)
    try:
        room = capacity(tree.root, reading.maps)
    except Costly as problem:
        fix = "compare with constants, narrow with `filter` first, or loop over one list only"
        return (Fault(*_position(text, tree, problem.node), f"it may not end quickly: {problem}", fix, Flaw.COST),)
    reads = frozenset(node.name for node in walk(tree.root) if isinstance(node, Ident)) & set(VARIABLES)
    return Expression(text, program, tree, reads, room)


def all_of(expressions: Iterable[Expression]) -> Any:
    """A program that says yes where all of these do: one question instead of many."""
    return _environment().compile(" && ".join(f"({expression.text}\n)" for expression in expressions))


def all_hold(program: Any, activation: Any) -> bool:
    """Whether all of them hold. False means that some do not, or came to no answer: ask each."""
    try:
        return _answer(program, activation)
    except Unjudged:
        return False


def activation(values: Mapping[str, Any]) -> Any:
    """Values of the variables, as expressions take them: plain JSON."""
    return _environment().Activation(values)


def _unknown(text: str, tree: Tree, unknown: Unknown) -> Fault:
    return Fault(*_position(text, tree, unknown.node, unknown.field), f"there is no field `{unknown.field}` here", unknown.fix, Flaw.FIELD)


def _position(text: str, tree: Tree, node: Node, name: str = "") -> tuple[int, int]:
    """Line and column, from 1, where a node stands in the text, or the first `name` from there on."""
    start = tree.offsets.get(node.id, 0)
    found = text.find(name, start) if name else -1
    before = text[: found if found >= 0 else start]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@lru_cache(maxsize=1)
def _environment() -> Any:
    from cel_expr_python import cel

    types = dict.fromkeys(VARIABLES, cel.Type.DYN)
    return cel.NewEnv(variables={**types, TODAY: cel.Type.STRING})


def _answer(program: Any, activation: Any) -> bool:
    try:
        value = program.eval(activation)
        answer = value.plain_value()
    except (RuntimeError, TypeError, ValueError) as problem:
        raise Unjudged(_plain(str(problem))) from None
    if isinstance(answer, bool):
        return answer
    if value.type().name() == "ERROR":
        raise Unjudged(_plain(str(answer)))
    raise Unjudged(f"it gives {answer!r}, not true or false")


def _plain(problem: str) -> str:
    """`NOT_FOUND: Key not found in map : "x"` in our words."""
    text = re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", problem.strip())
    missing = re.match(r'Key not found in map : "(.*)"', text)
    if missing:
        return f"`{missing[1]}` is not there; ask `has(...)` first"
    return "it takes too many iterations" if "budget" in text else text[:1].lower() + text[1:]


def _reported(text: str, problem: str) -> Iterable[Fault]:
    reports = _REPORT.findall(problem)
    if not reports:
        yield Fault(1, 1, _plain(problem), "see https://cel.dev for the language")
    for line, column, message in reports:
        message = re.sub(r" \(in container ''\)| \[[A-Z_]+\]$", "", message)
        undeclared = _UNDECLARED.search(message)
        if undeclared:
            name = undeclared[1].partition(".")[0]
            near = closest(name, [*VARIABLES, *_MACROS, *(known for known in FUNCTIONS if known.isalpha())])
            fix = f"did you mean `{near}`?" if near else f"a rule sees {', '.join(VARIABLES)}"
            start = text.split("\n")[int(line) - 1].find(name) + 1
            yield Fault(int(line), start or int(column), f"there is no `{name}` in CEL here", fix)
        else:
            yield Fault(int(line), int(column), message[:1].lower() + message[1:], "see https://cel.dev for the language")
