"""What a JSON Schema takes, in words: `whole number, 1 to 1000`, `duration`, `mapping of names to text`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from reconciler.model.quantities import Cpu, Duration, Memory, format_cpu, format_duration, format_memory
from reconciler.model.spec import NAME_PATTERN

Schema = Mapping[str, Any]


def branches(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, without nothing."""
    if "anyOf" in schema:
        return [branch for one in schema["anyOf"] for branch in branches(one)]
    return [] if schema.get("type") == "null" else [schema]


def values_of(schema: Schema) -> Schema | None:
    """What a mapping with free keys holds; keys that must have a form are `patternProperties`."""
    inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return inner if isinstance(inner, dict) else None


def reference(schema: Schema) -> str:
    """The name of the definition that a schema refers to; empty where it refers to none."""
    for candidate in (schema, *schema.get("allOf", ())):
        if "$ref" in candidate:
            return str(candidate["$ref"]).rpartition("/")[2]
    return ""


def takes(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """The words for a schema."""
    quantity = _quantity(schema)
    if quantity:
        return quantity
    words = [_word(branch, definitions) for branch in branches(schema)]
    return " or ".join(dict.fromkeys(words))


@cache
def _quantities() -> tuple[tuple[str, Any, Any], ...]:
    return tuple(
        (word, _essence(TypeAdapter(type_).json_schema()), speak)
        for word, type_, speak in (
            ("duration", Duration, format_duration),
            ("memory", Memory, format_memory),
            ("CPU", Cpu, format_cpu),
        )
    )


def _essence(schema: Schema) -> Any:
    return schema.get("pattern") or [branch.get("pattern") for branch in schema.get("anyOf", ())]


def _quantity(schema: Schema) -> str:
    for branch in (schema, *branches(schema)):
        for word, essence, _ in _quantities():
            if _essence(branch) == essence or (isinstance(essence, list) and _essence(branch) == [*essence, None]):
                return word
    return ""


def _word(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if name := reference(schema):
        is_mapping = definitions[name].get("type") == "object"
        return "mapping" if is_mapping else _word(definitions[name], definitions)
    if "enum" in schema or "const" in schema:
        *others, last = [yaml_text(value) for value in schema.get("enum", [schema.get("const")])]
        return f"{', '.join(others)} or {last}" if others else last
    match schema.get("type"):
        case "integer":
            return "whole number" + _range(schema)
        case "number":
            return "number" + _range(schema)
        case "boolean":
            return "true or false"
        case "array":
            return f"list of {takes(schema.get('items', {}), definitions)}"
        case "object":
            inner = values_of(schema)
            return f"mapping of names to {takes(inner, definitions)}" if inner else "mapping"
        case "string":
            return {"date": "date", NAME_PATTERN: "name"}.get(schema.get("format") or schema.get("pattern") or "", "text")
        case list() as types:
            return " or ".join(_word({**schema, "type": one}, definitions) for one in types)
        case _:
            return "anything"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else f", at most {high}" if high is not None else ""


def examples_of(schema: Schema) -> Iterator[Any]:
    """Examples of a schema and of its alternatives."""
    yield from schema.get("examples", ())
    for branch in schema.get("anyOf", ()):
        yield from branch.get("examples", ())


def yaml_text(value: Any) -> str:
    """A value as YAML on one line."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return "[" + ", ".join(yaml_text(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {yaml_text(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def quantity_text(schema: Schema, amount: int) -> str:
    """An amount as its schema's quantity is written: 30000 as `30s`; as a number where it is none."""
    word = _quantity(schema)
    return str(next(speak for name, _, speak in _quantities() if name == word)(amount)) if word else str(amount)
