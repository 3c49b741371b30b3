"""Whether the fields that an expression reads exist, judged against the models that describe its variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from reconciler.core.cel.tree import Call, Const, Ident, Literal, Loop, Node, Select
from reconciler.core.suggest import did_you_mean
from reconciler.model.findings import Pointer


class Record(NamedTuple):
    """A variable with these fields and no others, each of a type or a record."""

    fields: Mapping[str, Any]


class Many(NamedTuple):
    """A list of records."""

    of: Record


class Unknown(NamedTuple):
    """A field that does not exist."""

    node: Node
    field: str
    fix: str


Types = tuple[Any, ...]
"""What a value may be: models, records, generic aliases. Empty means anything."""


class Reading(NamedTuple):
    """What models say of an expression."""

    unknown: tuple[Unknown, ...]
    """Fields that it reads although no model has them."""
    maps: frozenset[int]
    """Loops and `in`, by their id, that are about the keys of a map."""


def read_fields(root: Node, variables: Mapping[str, Any]) -> Reading:
    """An expression judged against the types of its variables."""
    reader = _Reader([], set())
    reader.types(root, {name: _members(type_) for name, type_ in variables.items()})
    return Reading(tuple(dict.fromkeys(reader.unknown)), frozenset(reader.maps))


def unknown_keys(value: Any, type_: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, str]]:
    """Every key of a plain value that the models of its type do not have, with what may have been meant."""
    if isinstance(value, dict):
        for key, inner in value.items():
            found = _field(_members(type_), str(key))
            if isinstance(found, str):
                yield (*pointer, key), found
            else:
                for member in found:
                    yield from unknown_keys(inner, member, (*pointer, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            for member in _elements(_members(type_)):
                yield from unknown_keys(inner, member, (*pointer, position))


@dataclass(slots=True)
class _Reader:
    unknown: list[Unknown]
    maps: set[int]

    def types(self, node: Node, names: Mapping[str, Types]) -> Types:
        """What the value of a node may be; notes unknown fields on the way."""
        match node:
            case Ident(name=name):
                return names.get(name, ())
            case Select(operand=operand, field=field):
                return self._read(node, self.types(operand, names), field)
            case Call(function="_[_]", operands=(operand, Const(value=str() as field))):
                return self._read(node, self.types(operand, names), field)
            case Call(function="_[_]", operands=(operand, index)):
                self.types(index, names)
                return _elements(self.types(operand, names), values=True)
            case Call(function="@in", operands=(item, container)):
                self.types(item, names)
                self._map(node, self.types(container, names))
                return ()
            case Call(operands=operands) | Literal(parts=operands):
                for operand in operands:
                    self.types(operand, names)
                return ()
            case Loop():
                over = self.types(node.range, names)
                self._map(node, over)
                element = _elements(over)
                inner = {**names, node.variable: element, node.accumulator: ()}
                for part in (node.initial, node.condition, node.step, node.result):
                    self.types(part, inner)
                return ()
            case _:
                return ()

    def _map(self, node: Node, over: Types) -> None:
        if over and all(_origin(type_) is dict for type_ in over):
            self.maps.add(node.id)

    def _read(self, node: Node, types: Types, field: str) -> Types:
        found = _field(types, field)
        if isinstance(found, str):
            self.unknown.append(Unknown(node, field, found))
            return ()
        return found


def _field(types: Types, field: str) -> Types | str:
    """The types of a field, or what may have been meant where none of these types has it."""
    found: list[Any] = []
    known: list[str] = []
    for type_ in types:
        fields = _fields(type_)
        if fields is None:
            return ()
        if field in fields:
            found += _members(fields[field])
        elif _origin(type_) is dict:
            found += _members(get_args(type_)[1])
        known += fields
    if found or not types or any(field in (_fields(type_) or ()) or _origin(type_) is dict for type_ in types):
        return tuple(found)
    return did_you_mean(field, known, "it has no fields")


def _fields(type_: Any) -> Mapping[str, Any] | None:
    """The fields of a type by the names of YAML; None where anything may be in it."""
    if isinstance(type_, Record):
        return type_.fields
    if isinstance(type_, type) and _origin(type_) is None and issubclass(type_, BaseModel):
        return {field.alias or name: field.annotation for name, field in type_.model_fields.items()}
    return None if type_ in (Any, object, dict) else {}


def _elements(types: Types, *, values: bool = False) -> Types:
    """What a loop over these types sees: elements of a list, keys of a map; with `values` what an index finds."""
    found: list[Any] = []
    for type_ in types:
        arguments = get_args(type_)
        if isinstance(type_, Many):
            found.append(type_.of)
        elif _origin(type_) is dict:
            found += _members(arguments[1 if values else 0])
        elif _origin(type_) in (list, tuple) and arguments:
            found += _members(arguments[0])
        else:
            return ()
    return tuple(found)


def _origin(type_: Any) -> Any:
    return get_origin(type_)


def _members(type_: Any) -> Types:
    """The types of a union, with annotations taken off; nothing is left out of it but None."""
    if isinstance(type_, Record | Many):
        return (type_,)
    if _origin(type_) is Annotated:
        return _members(get_args(type_)[0])
    if get_args(type_) and _origin(type_) not in (dict, list, tuple):
        return tuple(member for inner in get_args(type_) if inner is not type(None) for member in _members(inner))
    return (type_,)
