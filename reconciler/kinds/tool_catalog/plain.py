"""Plain JSON Schemas: those that are valid at a glance. What is not plain may be valid all the same; the meta-schema knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def is_plain(schema: Any) -> bool:
    """Whether a schema uses only the keywords below, each with a value that draft 2020-12 allows it."""
    if isinstance(schema, bool):
        return True
    return isinstance(schema, dict) and all(key in _KEYWORDS and _KEYWORDS[key](value) for key, value in schema.items())


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _schemas(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) and is_plain(inner) for name, inner in value.items())


def _several(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(is_plain(inner) for inner in value)


def _type(value: Any) -> bool:
    return isinstance(value, str) and value in _TYPES


_KEYWORDS: Mapping[str, Callable[[Any], bool]] = {
    "type": _type,
    "title": _text,
    "description": _text,
    "default": lambda _: True,
    "const": lambda _: True,
    "enum": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
    "properties": _schemas,
    "required": _names,
    "additionalProperties": is_plain,
    "items": is_plain,
    "allOf": _several,
    "anyOf": _several,
    "oneOf": _several,
    "not": is_plain,
    "$defs": _schemas,
    "minLength": _count,
    "maxLength": _count,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "uniqueItems": _flag,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "format": _text,
    "pattern": _text,
    "$ref": _text,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "deprecated": _flag,
}
