"""Fields of documents, told from the models: what each is for, what it takes, what it is when nobody says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from reconciler.model.fleet import FleetSpec
from reconciler.model.kind import Kind
from reconciler.model.quantities import Cpu, Duration, Memory, format_cpu, format_duration, format_memory
from reconciler.model.refs import FLEET
from reconciler.model.spec import NAME_PATTERN, Metadata, Spec

Schema = Mapping[str, Any]
FLEET_KIND = Kind(name=FLEET.kind, folder="", scope="fleet", spec=FleetSpec, plural="")
"""`fleet.yaml`, as far as its fields go."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model."""

    name: str
    about: str
    takes: str
    """Its type in words: `whole number, 1 to 1000`."""
    is_required: bool
    default: str
    """As YAML; empty where there is none."""
    examples: tuple[str, ...]
    inside: Inside | None
    """What stands below it, where that is a mapping of its own."""
    is_keyed: bool = False
    """It maps names to things, or lists them: the next part of a path may be such a name."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A mapping with fields."""

    name: str
    about: str
    schema: Schema
    definitions: Mapping[str, Schema]

    def fields(self) -> Iterator[Field]:
        """In the order in which the model has them."""
        required = self.schema.get("required", ())
        for name, schema in self.schema.get("properties", {}).items():
            yield _field(name, schema, self.definitions, is_required=name in required)

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields() if field.name == name), None)


def model(spec: type[Spec], name: str = "") -> Inside:
    """The fields of a model."""
    schema = spec.model_json_schema(by_alias=True, mode="validation")
    return Inside(name or spec.__name__, schema.get("description", ""), schema, schema.get("$defs", {}))


def document(kind: Kind) -> Mapping[str, Inside]:
    """The two parts of a document that have fields."""
    return {"metadata": model(Metadata, "metadata"), "spec": model(kind.spec, "spec")}


def walk(start: Inside, parts: Iterable[str]) -> tuple[Field | None, Inside | None, str]:
    """(field, what is inside it, the first part that nothing has). `ports.http` and `volumes.data.path` may name keys."""
    field: Field | None = None
    inside: Inside | None = start
    key_allowed = False
    for part in parts:
        found = inside.field(part) if inside is not None else None
        if found is None:
            if not key_allowed:
                return field, inside, part
            key_allowed = False
            continue
        field, inside, key_allowed = found, found.inside, found.is_keyed
    return field, inside, ""


def _field(name: str, schema: Schema, definitions: Mapping[str, Schema], *, is_required: bool) -> Field:
    inner, is_keyed = _element(schema, definitions)
    return Field(
        name,
        schema.get("description", ""),
        _takes(schema, definitions),
        is_required,
        _default(schema, definitions),
        tuple(_yaml(example) for example in _examples(schema)),
        inner,
        is_keyed,
    )


def _branches(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, without nothing."""
    if "anyOf" in schema:
        return [branch for one in schema["anyOf"] for branch in _branches(one)]
    return [] if schema.get("type") == "null" else [schema]


def _element(schema: Schema, definitions: Mapping[str, Schema]) -> tuple[Inside | None, bool]:
    """What has fields inside a value of this schema, and whether keys or a list lie between."""
    for branch in _branches(schema):
        if name := _reference(branch):
            return Inside(name, definitions[name].get("description", ""), definitions[name], definitions), False
        inner = _values(branch) or branch.get("items")
        if isinstance(inner, dict):
            return _element(inner, definitions)[0], True
    return None, False


def _values(schema: Schema) -> Schema | None:
    """What a mapping with free keys holds; keys that must have a form are `patternProperties`."""
    inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return inner if isinstance(inner, dict) else None


def _reference(schema: Schema) -> str:
    for candidate in (schema, *schema.get("allOf", ())):
        if "$ref" in candidate:
            return str(candidate["$ref"]).rpartition("/")[2]
    return ""


def _takes(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    quantity = _quantity(schema)
    if quantity:
        return quantity
    words = [_word(branch, definitions) for branch in _branches(schema)]
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
    for branch in (schema, *_branches(schema)):
        for word, essence, _ in _quantities():
            if _essence(branch) == essence or (isinstance(essence, list) and _essence(branch) == [*essence, None]):
                return word
    return ""


def _word(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if name := _reference(schema):
        is_mapping = definitions[name].get("type") == "object"
        return "mapping" if is_mapping else _word(definitions[name], definitions)
    if "enum" in schema or "const" in schema:
        *others, last = [_yaml(value) for value in schema.get("enum", [schema.get("const")])]
        return f"{', '.join(others)} or {last}" if others else last
    match schema.get("type"):
        case "integer":
            return "whole number" + _range(schema)
        case "number":
            return "number" + _range(schema)
        case "boolean":
            return "true or false"
        case "array":
            return f"list of {_takes(schema.get('items', {}), definitions)}"
        case "object":
            inner = _values(schema)
            return f"mapping of names to {_takes(inner, definitions)}" if inner else "mapping"
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


def _default(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    value = schema.get("default")
    if value is None or value in ((), [], {}, "") or (isinstance(value, dict) and _element(schema, definitions)[0] is not None):
        return ""
    word = _quantity(schema)
    if isinstance(value, int) and word:
        return str(next(speak for name, _, speak in _quantities() if name == word)(value))
    return _yaml(value)


def _examples(schema: Schema) -> Iterator[Any]:
    yield from schema.get("examples", ())
    for branch in schema.get("anyOf", ()):
        yield from branch.get("examples", ())


def _yaml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return "[" + ", ".join(_yaml(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)
