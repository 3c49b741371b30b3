"""The JSON Schemas that editors read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from reconciler.core.schema import schema, schemas
from reconciler.kinds import KINDS as REAL
from tests.core.kinds import FLEET, KINDS, ServiceSpec, document

SERVICE = Draft7Validator(schema("Service", ServiceSpec))


def faults(**fields: object) -> list[str]:
    return [error.json_path for error in SERVICE.iter_errors(yaml.safe_load(document("Service", "web", **fields)))]


@pytest.mark.parametrize("name", sorted(schemas((*KINDS, *REAL))))
def test_schema_is_draft_7(name: str) -> None:
    made = schemas((*KINDS, *REAL))[name]
    Draft7Validator.check_schema(made)
    assert made["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in json.dumps(made)


def test_schema_does_not_depend_on_the_order_of_kinds() -> None:
    turned = schemas(tuple(reversed(KINDS)))
    assert {name: json.dumps(made) for name, made in schemas(KINDS).items()} == {name: json.dumps(made) for name, made in turned.items()}


def test_good_documents_fit() -> None:
    assert faults(image="base", ports="{http: 80}", health="{http: /, startup: 60s}", forceImageTag="t-1", dependsOn="[a, b/c]") == []
    assert list(Draft7Validator(schemas(KINDS)["fleet.json"]).iter_errors(yaml.safe_load(FLEET))) == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"image": "base", "replica": 1}, "$.spec"),
        ({}, "$.spec"),
        ({"image": "base", "ports": "{http: 99999}"}, "$.spec.ports.http"),
        ({"image": "base", "ports": "{Bad_Name: 80}"}, "$.spec.ports"),
        ({"image": "base", "tier": "x"}, "$.spec.tier"),
        ({"image": "base", "health": "{http: /, statup: 1s}"}, "$.spec.health"),
    ],
)
def test_bad_documents_do_not_fit(fields: dict[str, Any], path: str) -> None:
    assert path in faults(**fields)


def test_envelope_is_part_of_the_schema() -> None:
    wrong = yaml.safe_load(document("Task", "web", image="base"))
    assert [error.json_path for error in SERVICE.iter_errors(wrong)] == ["$.kind"]


def test_values_of_the_environment_fit_where_numbers_and_choices_do() -> None:
    assert faults(image="base", replicas="${env.REPLICAS}", tier="${env.TIER}", ports="{http: '${env.PORT}'}", public="${env.PUBLIC}") == []
    assert faults(image="base", replicas="two") == ["$.spec.replicas"]


def test_fields_carry_their_documentation() -> None:
    assert schema("Service", ServiceSpec)["properties"]["spec"]["properties"]["image"]["description"] == "The image it runs."
