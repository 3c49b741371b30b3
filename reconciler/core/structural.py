"""Structural schemas (Kubernetes, "Specifying a structural schema"): what API servers take, from what pydantic writes.

Fields are kept as they are written, so a value that may be text or a number stays either, and defaults are told, never filled in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.core.schema import Schema, model_schema
from reconciler.model.spec import INVARIANTS, ONE_OF, Spec

CEL = "x-kubernetes-validations"
ANYTHING = "x-kubernetes-preserve-unknown-fields"
_KEPT = frozenset(
    {"description", "enum", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
     "multipleOf", "nullable", "pattern", "required", "type"}
)  # fmt: skip
_READ = frozenset(
    {"$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "discriminator", "examples", "exclusiveMaximum",
     "exclusiveMinimum", "format", "ge", "gt", "items", "le", "lt", "oneOf", "patternProperties", "properties", "propertyNames", "title",
     INVARIANTS, ONE_OF}
)  # fmt: skip
_FORMATS = frozenset({"date", "date-time"})
_NEVER: Mapping[str, Schema] = {
    "object": {"minProperties": 1, "maxProperties": 0},
    "array": {"minItems": 1, "maxItems": 0},
    "number": {"minimum": 1, "maximum": 0},
    "string": {"minLength": 1, "maxLength": 0},
    "boolean": {"not": {"enum": [True, False]}},
}
"""What no value of a type fulfils, and values of others do not care about: in structural schemas no branch of a union may name a type."""
_MOST = 10_000
"""Entries of a map with rules inside: API servers estimate what rules cost, and refuse definitions that could cost too much."""
_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace", "null",
     "package", "return", "true", "var", "void", "while"}
)  # fmt: skip
"""Names that CEL keeps for itself; a field of such a name is written `__name__`."""


def structural(model: type[Spec]) -> Schema:
    """The structural schema of a model. Raises ValueError for what has none: models that contain themselves, tuples by position."""
    schema = model_schema(model)
    return _Converter(schema.get("$defs", {})).of(schema)


class _Converter:
    """Converts one document's schemas.

    `inside` are the definitions that the present one stands in; `repeated` says that it stands in a map or a list.
    """

    def __init__(self, definitions: Mapping[str, Schema], inside: tuple[str, ...] = (), *, repeated: bool = False) -> None:
        self._definitions = definitions
        self._inside = inside
        self._repeated = repeated

    def of(self, schema: Schema) -> Schema:
        """One schema, converted."""
        unknown = schema.keys() - _KEPT - _READ
        if unknown:
            raise ValueError(f"there is no structural schema for {', '.join(sorted(unknown))} in {json.dumps(schema)[:200]}")
        if "$ref" in schema:
            return self._inlined(schema)
        branches = schema.get("anyOf") or schema.get("oneOf") or _by_type(schema)
        return _told(self._union(schema, branches) if branches else self._plain(schema), schema)

    def _inlined(self, schema: Schema) -> Schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in self._inside:
            raise ValueError(f"{name} contains itself: no structural schema can say so")
        own = {word: value for word, value in schema.items() if word != "$ref"}
        return _Converter(self._definitions, (*self._inside, name), repeated=self._repeated).of({**self._definitions[name], **own})

    def _each(self, schema: Schema) -> Schema:
        """The schema of a map's values or a list's elements."""
        return _Converter(self._definitions, self._inside, repeated=True).of(schema)

    def _plain(self, schema: Schema) -> Schema:
        """A schema of one type, or of none: anything."""
        out = {word: value for word, value in schema.items() if word in _KEPT and word != "description"} | _bounds(schema)
        if "const" in schema:
            out["enum"] = [schema["const"]]
        if schema.get("format") in _FORMATS:
            out["format"] = schema["format"]
        if "items" in schema:
            out["items"] = self._each(schema["items"])
        if "type" not in out:
            return {**out, ANYTHING: True}
        return out | self._object(schema) if out["type"] == "object" else out

    def _object(self, schema: Schema) -> Schema:
        if "properties" in schema:
            out: Schema = {"properties": {name: self.of(field) for name, field in schema["properties"].items()}}
            rules = [*_among_fields(schema)]
            return {**out, CEL: rules} if rules else out
        (pattern, values), *more = [*schema.get("patternProperties", {}).items()] or [("", schema.get("additionalProperties", True))]
        if more:
            raise ValueError(f"there is no structural schema for keys of several forms: {pattern}, {more[0][0]}")
        if not isinstance(values, dict) or not values:
            return {ANYTHING: True}
        each = self._each(values)
        out = {"additionalProperties": each}
        if _has_rules(each):
            out["maxProperties"] = schema.get("maxProperties", _MOST)
        rule = _of_keys({**({"pattern": pattern} if pattern else {}), **schema.get("propertyNames", {})})
        # CEL has no words for a map whose values have no one type, and the rule's cost is estimated for the largest request there can be.
        return {**out, CEL: [rule]} if rule and not self._repeated and "type" in each else out

    def _union(self, schema: Schema, branches: Sequence[Schema]) -> Schema:
        """One schema that takes what some branch takes. Where it must take more, it does: what is refused is wrong by the model, too."""
        converted = [self.of({**_bounds(schema), **branch}) for branch in _flat(branches)]
        nullable = len(converted) < len(branches) or any(branch.get("type") == "null" for branch in branches)
        types = {_type(one) for one in converted}
        if len(converted) == 1:
            out = converted[0]
        elif types == {"object"}:
            out = _merged(converted)
        elif types == {"number"}:
            out = {**_mixed(converted), "type": "number"}
            out.pop(ANYTHING)
        else:
            out = _mixed(converted)
        if not nullable:
            return out
        return {**out, "nullable": True, **({"enum": [*out["enum"], None]} if "enum" in out else {})}


def _has_rules(schema: Any) -> bool:
    if isinstance(schema, dict):
        return CEL in schema or any(map(_has_rules, schema.values()))
    return isinstance(schema, list) and any(map(_has_rules, schema))


def _by_type(schema: Schema) -> list[Schema]:
    types = schema.get("type")
    return [{"type": one} for one in types] if isinstance(types, list) else []


def _flat(branches: Sequence[Schema]) -> Iterator[Schema]:
    """Branches of unions in unions, without null."""
    for branch in branches:
        if "anyOf" in branch:
            outer = {word: value for word, value in branch.items() if word not in ("anyOf", "examples", "description", "default")}
            yield from ({**outer, **inner} for inner in _flat(branch["anyOf"]))
        elif branch.get("type") != "null":
            yield branch


def _type(converted: Schema) -> str:
    return {"integer": "number"}.get(converted["type"], str(converted["type"])) if "type" in converted else "any"


def _bounds(schema: Schema) -> Schema:
    """Numeric bounds as OpenAPI 3.0 has them. Of a union pydantic writes them as Python says them (`gt`)."""
    out: Schema = {}
    for word, python, exclusive in (("minimum", ("ge", "gt"), "exclusiveMinimum"), ("maximum", ("le", "lt"), "exclusiveMaximum")):
        at = schema.get(python[0], schema.get(word))
        past = schema.get(python[1], schema.get(exclusive))
        if isinstance(past, int | float) and not isinstance(past, bool):
            out |= {word: past, exclusive: True}
        elif isinstance(at, int | float):
            out[word] = at
    return out


def _mixed(branches: Sequence[Schema]) -> Schema:
    """Values of several types: what each type must fulfil, and nothing that an absent type could."""
    if any(len([one for one in branches if _type(one) == kind]) > 1 for kind in ("string", "object", "array")) or any(
        "enum" in one or _type(one) == "any" for one in branches
    ):
        raise ValueError(f"there is no structural schema for this union: {json.dumps(branches)[:300]}")
    types = {one["type"] for one in branches}
    out: Schema = {}
    for one in branches:
        out |= {word: value for word, value in one.items() if word not in ("type", CEL, ANYTHING, "description", "nullable")}
    if types == {"integer", "string"}:
        return {**out, "x-kubernetes-int-or-string": True}
    for kind, never in _NEVER.items():
        if kind not in {_type(one) for one in branches}:
            out |= never
    if "integer" in types and "number" not in types:
        out["multipleOf"] = 1
    return {**out, ANYTHING: True}


def _merged(branches: Sequence[Schema]) -> Schema:
    """Objects of several forms as one: every field of any form, and the fields that one of the forms needs."""
    properties: dict[str, Schema] = {}
    for one in branches:
        for name, field in one.get("properties", {}).items():
            known = properties.setdefault(name, dict(field))
            if "enum" in known and "enum" in field:
                known["enum"] = sorted({*known["enum"], *field["enum"]})
            elif known != field:
                raise ValueError(f"the forms of a union disagree about `{name}`")
    return {"type": "object", "properties": properties, "anyOf": [{"required": one.get("required", [])} for one in branches]}


def _told(out: Schema, schema: Schema) -> Schema:
    """With what people are told: the description, and the default, which is not filled in."""
    said = [schema["description"].replace("\n", " ")] if schema.get("description") else []
    if schema.get("default") not in (None, {}, [], "") and not isinstance(schema["default"], dict | list):
        said.append(f"Default: {json.dumps(schema['default']).strip(chr(34))}.")
    return {"description": " ".join(said), **out} if said else out


def _among_fields(schema: Schema) -> Iterator[Schema]:
    if fields := schema.get(ONE_OF):
        given = ", ".join(f"has(self.{_escaped(field)})" for field in fields)
        listed = ", ".join(fields[:-1]) + f" or {fields[-1]}"
        yield {"rule": f"[{given}].exists_one(given, given)", "message": f"exactly one of {listed} is needed"}
    for one in schema.get(INVARIANTS, ()):
        yield {"rule": one["cel"], "message": one["message"]}


def _of_keys(keys: Schema) -> Schema | None:
    tests, told = [], []
    if "maxLength" in keys:
        tests.append(f"size(key) <= {keys['maxLength']}")
        told.append(f"have at most {keys['maxLength']} characters")
    if "pattern" in keys:
        tests.append(f"key.matches({json.dumps(keys['pattern'])})")
        told.append(f"match {keys['pattern']}")
    return {"rule": f"self.all(key, {' && '.join(tests)})", "message": f"keys must {' and '.join(told)}"} if tests else None


def _escaped(field: str) -> str:
    return f"__{field}__" if field in _RESERVED else field
