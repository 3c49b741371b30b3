"""The syntax tree of a checked CEL expression, read from what the compiler serialises (`cel/expr/checked.proto`, `syntax.proto`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Const(NamedTuple):
    """A literal; None for null and bytes, which rules have no use for."""

    id: int
    value: bool | int | float | str | None


class Ident(NamedTuple):
    """A variable."""

    id: int
    name: str


class Select(NamedTuple):
    """`operand.field`, or `has(operand.field)` where it only tests."""

    id: int
    operand: Node
    field: str
    tests: bool


class Call(NamedTuple):
    """A function or an operator (`_+_`, `_[_]`). A method's receiver is the first operand."""

    id: int
    function: str
    operands: tuple[Node, ...]


class Literal(NamedTuple):
    """A list, a map or a message written out: its parts in order, keys before their values."""

    id: int
    parts: tuple[Node, ...]
    is_list: bool


class Loop(NamedTuple):
    """What a macro such as `all` becomes: `variable` goes through `range`, `accumulator` through `step`."""

    id: int
    variable: str
    range: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


Node = Const | Ident | Select | Call | Literal | Loop


class Tree(NamedTuple):
    """An expression."""

    root: Node
    offsets: Mapping[int, int]
    """Node -> where in the text it stands, in characters from 0."""


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Const() | Ident():
            return ()
        case Select(operand=operand):
            return (operand,)
        case Call(operands=operands):
            return operands
        case Literal(parts=parts):
            return parts
        case Loop():
            return (node.range, node.initial, node.condition, node.step, node.result)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)


def shape(node: Node) -> tuple[Any, ...]:
    """What a node says, wherever it stands: equal for two that read the same."""
    match node:
        case Const(value=value):
            return ("const", type(value).__name__, value)
        case Ident(name=name):
            return ("name", name)
        case Select(operand=operand, field=field, tests=tests):
            return ("select", shape(operand), field, tests)
        case Call(function=function, operands=operands):
            return ("call", function, *(shape(operand) for operand in operands))
        case Literal() | Loop():
            return ("other", node.id)


def decode(data: bytes) -> Tree:
    """The tree of a serialised `google.protobuf.Any` that holds a `CheckedExpr`."""
    checked = _message(_first(_message(data), 2))
    offsets: dict[int, int] = {}
    for entry in _all(_message(_first(checked, 5)), 4):
        position = _message(entry)
        offsets[_first(position, 1, 0)] = _first(position, 2, 0)
    return Tree(_node(_first(checked, 4)), offsets)


_Fields = list[tuple[int, Any]]


def _node(data: bytes) -> Node:
    fields = _message(data)
    id = _first(fields, 2, 0)
    kind, body = next(((number, value) for number, value in fields if number != 2), (3, b""))
    parts = _message(body)
    match kind:
        case 3:
            return Const(id, _constant(parts))
        case 4:
            return Ident(id, _text(parts, 1))
        case 5:
            return Select(id, _node(_first(parts, 1)), _text(parts, 2), bool(_first(parts, 3, 0)))
        case 6:
            operands = (*_all(parts, 1), *_all(parts, 3))
            return Call(id, _text(parts, 2), tuple(_node(operand) for operand in operands))
        case 7:
            return Literal(id, tuple(_node(element) for element in _all(parts, 1)), is_list=True)
        case 8:
            return Literal(id, tuple(_entries(parts)), is_list=False)
        case 9:
            range_, initial, condition, step, result = (_node(_first(parts, number)) for number in (2, 4, 5, 6, 7))
            return Loop(id, _text(parts, 1), range_, _text(parts, 3), initial, condition, step, result)
        case _:
            raise ValueError(f"a CEL expression of an unknown sort: field {kind}")


def _entries(parts: _Fields) -> Iterator[Node]:
    for entry in _all(parts, 2):
        fields = _message(entry)
        yield from (_node(value) for number, value in fields if number in (3, 4))


def _constant(fields: _Fields) -> bool | int | float | str | None:
    for number, value in fields:
        match number:
            case 2:
                return bool(value)
            case 3:
                return int(value) - (1 << 64) if value >> 63 else int(value)
            case 5:
                return int(value)
            case 4:
                return float(value)
            case 6:
                return bytes(value).decode()
    return None


def _text(fields: _Fields, number: int) -> str:
    return bytes(_first(fields, number, b"")).decode()


def _all(fields: _Fields, number: int) -> list[Any]:
    return [value for found, value in fields if found == number]


def _first(fields: _Fields, number: int, otherwise: Any = b"") -> Any:
    return next((value for found, value in fields if found == number), otherwise)


def _message(data: bytes) -> _Fields:
    """Fields of a message in order (protobuf "Encoding"): varints as int, the rest as bytes."""
    fields: _Fields = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                fields.append((tag >> 3, value))
            case 1 | 5 as wire:
                width = 8 if wire == 1 else 4
                fields.append((tag >> 3, 0))
                at += width
            case 2:
                length, at = _varint(data, at)
                fields.append((tag >> 3, data[at : at + length]))
                at += length
            case wire:
                raise ValueError(f"an unknown wire type {wire}")
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
