"""Fields of documents, told from the models: what each is for, what it takes, what it is when nobody says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.model.fleet import FleetSpec
from reconciler.model.kind import Kind
from reconciler.model.refs import FLEET
from reconciler.model.spec import Metadata, Spec
from reconciler.model.value import dataclass
from reconciler.shell.schema_words import Schema, branches, examples_of, quantity_text, reference, takes, values_of, yaml_text

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
        takes(schema, definitions),
        is_required,
        _default(schema, definitions),
        tuple(yaml_text(example) for example in examples_of(schema)),
        inner,
        is_keyed,
    )


def _element(schema: Schema, definitions: Mapping[str, Schema]) -> tuple[Inside | None, bool]:
    """What has fields inside a value of this schema, and whether keys or a list lie between."""
    for branch in branches(schema):
        if name := reference(branch):
            return Inside(name, definitions[name].get("description", ""), definitions[name], definitions), False
        inner = values_of(branch) or branch.get("items")
        if isinstance(inner, dict):
            return _element(inner, definitions)[0], True
    return None, False


def _default(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    value = schema.get("default")
    if value is None or value in ((), [], {}, "") or (isinstance(value, dict) and _element(schema, definitions)[0] is not None):
        return ""
    is_amount = isinstance(value, int) and not isinstance(value, bool)
    return quantity_text(schema, value) if is_amount else yaml_text(value)
