"""JSON Schemas (draft 7, what editors read) of whole documents, from the models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from reconciler.model.fleet import FleetSpec
from reconciler.model.kind import Kind
from reconciler.model.refs import FLEET
from reconciler.model.spec import API_VERSION, INVARIANTS, ONE_OF, Metadata, Spec

DRAFT = "http://json-schema.org/draft-07/schema#"
Schema = dict[str, Any]
_VALUE = r"^\$\{env\.[^{}]*\}$"
_VALUE_IN_TEXT = r"\$\{env\.[^{}]*\}"
_LOOSE = frozenset({"enum", "const", "pattern", "format", "minLength", "maxLength"})
_NOTES = ("title", "description", "default", "examples")
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""Of a union pydantic writes them as Python says them."""
_SINGLES = frozenset({"items", "additionalProperties", "additionalItems", "propertyNames", "not", "if", "then", "else"})


def schemas(kinds: Iterable[Kind]) -> Mapping[str, Schema]:
    """The schema of each kind's documents and of `fleet.yaml`, by file name: `service.json`, `tool-catalog.json`, `fleet.json`."""
    named: dict[str, type[Spec]] = {**{kind.name: kind.spec for kind in kinds}, FLEET.kind: FleetSpec}
    return {f"{_dashed(name)}.json": schema(name, spec) for name, spec in named.items()}


def schema(kind: str, spec: type[Spec]) -> Schema:
    """The schema of one kind's documents: deterministic, closed to unknown fields."""
    inner, outer = model_schema(spec), model_schema(Metadata)
    definitions = {**outer.pop("$defs", {}), **inner.pop("$defs", {})}
    if kind != FLEET.kind:
        inner, definitions = _with_values(inner), {name: _with_values(one) for name, one in definitions.items()}
    document: Schema = {
        "$schema": DRAFT,
        "title": kind,
        "description": inner.get("description", ""),
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "Version of the format."},
            "kind": {"const": kind, "description": "What this is; the folder says the same."},
            "metadata": outer,
            "spec": inner,
        },
        "definitions": definitions,
    }
    sorted_: Schema = _sorted(_draft7(document))
    return sorted_


class _AsWritten(GenerateJsonSchema):
    """Without a title for each field, which would only say its name again; with defaults as a spec would write them (`10s`)."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        out = super().default_schema(schema)
        inner = schema["schema"]
        while "serialization" not in inner and inner.get("type") == "function-after":  # bounds stand around it
            inner = inner["schema"]
        written = inner.get("serialization", {})
        if written.get("type") == "function-plain" and isinstance(out.get("default"), int):
            out["default"] = written["function"](out["default"])
        return out


def model_schema(model: type[Spec]) -> Schema:
    """The schema of a model as pydantic writes it (draft 2020-12), with `x-one-of` and `x-invariants`."""
    return model.model_json_schema(by_alias=True, mode="validation", schema_generator=_AsWritten)


def _below(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with all schemas in it changed. Only where a schema stands: a field may be named `type` or `$ref` as well."""
    out = dict(schema)
    for word in _MAPS & schema.keys():
        out[word] = {name: change(one) for name, one in schema[word].items()}
    for word in _LISTS & schema.keys():
        out[word] = [change(one) for one in schema[word]]
    for word in _SINGLES & schema.keys():
        if isinstance(schema[word], dict):
            out[word] = change(schema[word])
    return out


def _draft7(schema: Schema) -> Schema:
    """Draft 2020-12, which pydantic writes, in the words of draft 7."""
    out = _below({word: value for word, value in schema.items() if word not in (ONE_OF, INVARIANTS)}, _draft7)
    if out.get("default", ...) is None:
        del out["default"]  # nothing at all is no advice
    for bound, word in _BOUNDS.items():
        if isinstance(out.get(bound), int | float):
            out[word] = out.pop(bound)
    if "patternProperties" in out:
        out.setdefault("additionalProperties", False)
    if "prefixItems" in out:
        out["items"], out["additionalItems"] = out.pop("prefixItems"), out.pop("items", False)
    if "$ref" in out:
        reference = {"$ref": out.pop("$ref").replace("#/$defs/", "#/definitions/")}
        return {**out, "allOf": [reference]} if out else reference  # in draft 7 nothing beside a `$ref` counts
    return out


def _with_values(schema: Schema) -> Schema:
    """What a spec says may come from the environment, whatever its type: `replicas: ${env.REPLICAS}`. Names may not."""
    names = schema.get("propertyNames")
    out = _below(schema, _with_values) | ({"propertyNames": names} if names else {})
    types = out.get("type")
    if types in ("integer", "number", "boolean"):
        mention = _VALUE
    elif types == "string" and not _LOOSE.isdisjoint(out):
        mention = _VALUE_IN_TEXT
    else:
        return out
    notes = {word: out.pop(word) for word in _NOTES if word in out}
    return {**notes, "anyOf": [out, {"type": "string", "pattern": mention}]}


def _sorted(value: Any) -> Any:
    """Keys in a fixed order; lists are left as they are."""
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
