"""The base of every model that reads YAML, and the small types that specs share."""

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, Strict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

API_VERSION = "fleetwright.dev/v1alpha1"
GROUP = "fleetwright.dev"

Int = Annotated[int, Strict()]
Bool = Annotated[bool, Strict()]


ONE_OF, INVARIANTS = "x-one-of", "x-invariants"
"""Words of our own in JSON Schemas: what custom resources turn into CEL, and what editors are not shown."""


class Invariant(NamedTuple):
    """What holds among the fields of a model, for API servers: a CEL expression over `self` with the names that YAML has, and a sentence."""

    cel: str
    message: str


class Spec(BaseModel):
    """Frozen, closed to unknown fields; snake_case here, camelCase in YAML."""

    one_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which exactly one is given. A validator calls `exactly_one` for it; API servers are told, too."""
    invariants: ClassVar[tuple[Invariant, ...]] = ()
    """What else API servers can check of what the validators check."""

    # The string below a field describes it (`documented`). A model is built when it is first asked to validate: most are only parts of others, and are built with those.
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True)

    @classmethod
    def unsaid(cls) -> Self:
        """What holds where nothing is said: the default of a field that has defaults of its own. It builds no validator, as a call of the class would."""
        return super().model_construct()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The model's JSON Schema, with the descriptions of its fields and the rules among them."""
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        if cls.one_of:
            own[ONE_OF] = aliases(cls, cls.one_of)
        if cls.invariants:
            own[INVARIANTS] = [one._asdict() for one in cls.invariants]
        properties = own.get("properties", {})
        for name, field in documented(cls).items():
            if field.description:
                properties[field.alias or name].setdefault("description", field.description)
        return schema


@cache
def documented(model: type[Spec]) -> Mapping[str, FieldInfo]:
    """The fields of a model, described by the strings below them.

    Pydantic's own `use_attribute_docstrings` reads the sources of all models whenever they are imported; this reads them when somebody asks.
    """
    for parent in model.__mro__:
        if issubclass(parent, Spec):
            for name, text in _strings(parent).items():
                field = model.model_fields.get(name)
                if field is not None:
                    field.description = field.description or text
    return model.model_fields


def _strings(model: type[Spec]) -> Mapping[str, str]:
    """Field -> the string below it, of one class alone."""
    module = inspect.getmodule(model)
    assert module is not None
    return _of_module(module).get(model.__name__.partition("[")[0], {})


@cache
def _of_module(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Class -> its fields and the strings below them. The syntax tree goes at once: those of all models are eight megabytes."""
    classes = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_of_body(node.body)) for node in classes}


def _of_body(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass


def aliases(model: type[Spec], fields: Iterable[str]) -> list[str]:
    """Fields as YAML names them."""
    return [model.model_fields[field].alias or field for field in fields]


def exactly_one(model: Spec) -> None:
    """Raises ValueError with a sentence unless exactly one of the fields `one_of` is given."""
    given = [field for field in model.one_of if getattr(model, field) is not None]
    if len(given) != 1:
        names = aliases(type(model), model.one_of)
        found = f"{' and '.join(to_camel(field) for field in given)} are given" if given else "none is given"
        raise ValueError(f"exactly one of {', '.join(names[:-1])} or {names[-1]} is needed; {found}")


def _date(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a date such as 2026-12-31") from None


Date = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-12-31"]})]

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
LABEL_LENGTH = 63
"""Longest value of a Kubernetes label, and longest RFC 1123 label."""
NAME_LENGTH = 52
"""Longest name: a Job of a CronJob appends 11 characters to a label value of 63 (Kubernetes `CronJob` reference)."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=NAME_LENGTH)]
LinkName = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?/)?[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=2 * NAME_LENGTH + 1)
]
"""`web`, or `platform/web` for a thing of another tenant."""
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=256)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
PortName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=15)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
HttpPath = Annotated[str, Field(pattern=r"^/[^\s]*$", max_length=1024)]
Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
SecretKey = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$", max_length=253 + 1 + 253, examples=["registry-db/url"])
]
"""A key of a Kubernetes Secret in the tenant's namespace: `secret/key`. Never a value."""
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
"""An image tag (OCI distribution specification)."""


class Metadata(Spec):
    """Name, labels and annotations of a spec. The name must be the file's name."""

    name: Name
    labels: dict[Annotated[str, Field(max_length=316)], Annotated[str, Field(max_length=63)]] = Field(default_factory=dict)
    annotations: dict[Annotated[str, Field(max_length=316)], str] = Field(default_factory=dict)


S = TypeVar("S", bound=Spec)


class Envelope(Spec, Generic[S]):
    """A whole document, as JSON Schema describes it to editors."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: S
