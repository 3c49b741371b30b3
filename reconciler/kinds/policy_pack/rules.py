"""Rules: one file each, named by its code, below the folder that a pack names. An expression in CEL that is true where all is well."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from reconciler.model.spec import Date, Spec, Text

PLACEHOLDERS = ("name", "tenant", "kind", "machine", "reason")
"""What a message may say in braces."""


class Case(Spec):
    """What a rule is tried on: a spec, and as much of its surroundings as the rule asks about."""

    spec: dict[str, Any] = Field(default_factory=dict)
    """Fields of the spec; only those that the rule reads."""
    name: str = "example"
    """Its name."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Its labels."""
    linked: dict[str, tuple[dict[str, Any], ...]] = Field(default_factory=dict)
    """Specs that it links to, by kind, each as `{name, spec}`."""
    placement: dict[str, Any] = Field(default_factory=dict)
    """Where it goes: `{placed, machine, reason}`."""
    tenant: dict[str, Any] = Field(default_factory=dict)
    """Its tenant: `{name, spec, quotas, usage}`."""
    policy: dict[str, Any] = Field(default_factory=dict)
    """The effective policy."""
    today: Date | None = None
    """The day; 2026-01-01 unless said."""


def _case(value: Any) -> Any:
    return value if isinstance(value, dict) and "spec" in value else {"spec": value}


AnyCase = Annotated[Case, BeforeValidator(_case, json_schema_input_type=Case | dict[str, Any])]
"""A case, or just the fields of its spec."""


class Cases(Spec):
    """One spec that is well and one that is not. Both are tried whenever the rule is read."""

    good: AnyCase
    """The rule holds."""
    bad: AnyCase
    """The rule does not hold."""


class Rule(Spec):
    """A policy rule: something that should hold of every spec of one kind."""

    scope: Annotated[str, Field(max_length=52)]
    """The kind it is about: `Service`."""
    severity: Literal["error", "warning", "info"] = "warning"
    """How much it matters where no pack blocks it."""
    expression: Text
    """CEL, true where all is well. It sees `object` (name, tenant, labels, spec), `linked` (by kind), `placement`, `tenant`, `policy`, `today`."""
    message: Text
    """What is wrong; `{name}`, `{tenant}`, `{kind}`, `{machine}` and `{reason}` are filled in."""
    fix: Text
    """What to do."""
    about: Text | None = None
    """Why it matters, for `fleet explain CODE`."""
    cases: Cases
    """What it is tried on."""
