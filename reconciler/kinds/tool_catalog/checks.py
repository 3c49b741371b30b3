"""What a catalog must be beyond its types: schemas that are schemas, and profiles of tools that exist."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from reconciler.kinds.tool_catalog.plain import is_plain
from reconciler.kinds.tool_catalog.resolve import matches
from reconciler.kinds.tool_catalog.spec import ToolCatalogSpec
from reconciler.model.findings import Code, Finding, Pointer, error
from reconciler.model.fleet import Resource
from reconciler.model.kind import Scene

SCHEMA = error(
    "TCT001", "not a JSON Schema", "`parameters` and `returns` must be JSON Schemas of draft 2020-12; they are judged by its meta-schema."
)
REFERENCE = error(
    "TCT002",
    "schema refers out of the document",
    "A `$ref` may point into its own schema only (`#/$defs/...`): whoever reads the catalog must not fetch anything to understand it.",
)
PARAMETERS = error("TCT003", "parameters are not an object", "A tool is called with named parameters: its schema must say `type: object`.")
UNKNOWN = error(
    "TCT004", "profile names an unknown tool", "Each entry of a profile must be a tool of the catalog, `group.*` that has some, or `*`."
)
REQUIRED = error(
    "TCT005",
    "required parameter is not declared",
    "Each name in `required` must stand in `properties`: a caller could never know what to send.",
)
CODES: tuple[Code, ...] = (SCHEMA, REFERENCE, PARAMETERS, UNKNOWN, REQUIRED)

_REFERENCES = ("$ref", "$dynamicRef", "$schema", "$id")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Catalog = Resource[ToolCatalogSpec]


def checks(catalog: Catalog, _scene: Scene) -> Iterator[Finding]:
    """Findings on one catalog."""
    for name, tool in catalog.spec.tools.items():
        yield from _schema(catalog, ("tools", name, "parameters"), tool.parameters)
        yield from _parameters(catalog, ("tools", name, "parameters"), tool.parameters)
        if tool.returns is not None:
            yield from _schema(catalog, ("tools", name, "returns"), tool.returns)
    for profile, patterns in catalog.spec.profiles.items():
        for position, pattern in enumerate(patterns):
            if not any(matches(pattern, tool) for tool in catalog.spec.tools):
                near = get_close_matches(pattern, catalog.spec.tools, 1)
                fix = f"did you mean {near[0]!r}?" if near else "declare it under `tools`, or take it out"
                yield _at(catalog, UNKNOWN, ("profiles", profile, position), f"{pattern!r} names no tool of the catalog", fix)


def _at(catalog: Catalog, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(catalog.document.place(("spec", *pointer)), message, fix, catalog.ref)


def _schema(catalog: Catalog, pointer: Pointer, schema: dict[str, Any]) -> Iterator[Finding]:
    if not is_plain(schema):
        yield from _judged(catalog, pointer, schema)
    for where, key, value in _references(schema):
        local = isinstance(value, str) and (value.startswith("#") or (key == "$schema" and value == _DIALECT))
        if not local:
            message = f"`{key}: {value}` leads out of the schema"
            yield _at(catalog, REFERENCE, (*pointer, *where), message, "put the definition under `$defs` and refer to `#/$defs/NAME`")
        elif key != "$schema" and not _resolves(schema, str(value)):
            yield _at(catalog, REFERENCE, (*pointer, *where), f"`{key}: {value}` points at nothing", "declare it under `$defs`")


def _judged(catalog: Catalog, pointer: Pointer, schema: dict[str, Any]) -> Iterator[Finding]:
    """What the meta-schema says. Its library takes a fifth of a whole lint to load, so plain schemas do without it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    problem = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if problem is not None:
        fix = "see https://json-schema.org/understanding-json-schema for what each keyword takes"
        yield _at(catalog, SCHEMA, (*pointer, *problem.absolute_path), problem.message, fix)


def _references(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, str, Any]]:
    match value:
        case dict():
            for key, inner in value.items():
                if key in _REFERENCES and not isinstance(inner, dict):
                    yield (*pointer, key), key, inner
                else:
                    yield from _references(inner, (*pointer, key))
        case list() | tuple():
            for position, inner in enumerate(value):
                yield from _references(inner, (*pointer, position))


def _resolves(schema: Any, reference: str) -> bool:
    if not reference.startswith("#/"):
        return reference == "#"
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(schema, dict) or key not in schema:
            return False
        schema = schema[key]
    return True


def _parameters(catalog: Catalog, pointer: Pointer, schema: dict[str, Any]) -> Iterator[Finding]:
    if schema.get("type") != "object":
        fix = "say `type: object` and list them under `properties`"
        yield _at(catalog, PARAMETERS, (*pointer, "type"), "parameters must be an object", fix)
    required, properties = schema.get("required"), schema.get("properties", {})
    if isinstance(required, list) and isinstance(properties, dict):
        for position, name in enumerate(required):
            if isinstance(name, str) and name not in properties:
                message = f"{name!r} is required but not declared"
                yield _at(catalog, REQUIRED, (*pointer, "required", position), message, f"declare {name!r} under `properties`")
