"""Codes of the shape of a spec: fields, types and values."""

from __future__ import annotations

from reconciler.model.findings import Code, error

UNKNOWN_FIELD = error(
    "SPC001",
    "unknown field",
    """The field does not exist here. Nothing is ignored: a misspelt field would otherwise do nothing, in silence.

Example: `replica: 3` (it is `replicas`).
Fix: correct the name; `fleet explain KIND.spec` lists the fields.""",
)
MISSING_FIELD = error(
    "SPC002",
    "missing field",
    """A field that has no default is not there.

Fix: add it; `fleet explain KIND.spec.FIELD` says what it means.""",
)
WRONG_TYPE = error(
    "SPC003",
    "wrong type",
    """The value is of another type than the field: text where a number belongs, a list where a mapping belongs. Nothing is converted,
because `version: 1.10` is 1.1 to YAML and not the text "1.10".

Example: `replicas: "2"`; write `replicas: 2`.""",
)
NOT_ALLOWED = error(
    "SPC004",
    "value that is not allowed",
    """The value has the right type, but is out of range, not one of the field's choices, or not written as such values are.

Example: `port: 99999` (ports go from 1 to 65535).""",
)
CONTRADICTION = error(
    "SPC005",
    "values that cannot be together",
    """Values that are right by themselves do not fit each other, or break a rule of the format that the message names.

Example: `autoscale: {min: 3, max: 2}`.
Fix: change one of the values that the message names.""",
)

CODES: tuple[Code, ...] = (UNKNOWN_FIELD, MISSING_FIELD, WRONG_TYPE, NOT_ALLOWED, CONTRADICTION)
