"""Structural schemas of models, without a server."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from reconciler.core.crds import columns, crds
from reconciler.core.structural import ANYTHING, CEL, structural
from reconciler.model.kind import Column, Kind
from reconciler.model.quantities import Cpu, Duration, Memory
from reconciler.model.spec import Bool, Int, Invariant, Name, Spec
from tests.core.kinds import KINDS as SMALL


class Inner(Spec):
    """Inner things."""

    one_of: ClassVar = ("for_", "other_thing")
    invariants: ClassVar = (Invariant("!has(self.count) || self.count > 1", "more than one"),)

    for_: Annotated[Name | None, Field(alias="for")] = None
    other_thing: Name | None = None
    count: Annotated[float, Field(gt=0, lt=5)] | None = None


class Outer(Spec):
    """Outer things."""

    inner: Inner
    """The thing inside."""
    fixed: Literal["one"] = "one"
    choice: Literal["a", "b"] | None = None
    wait: Duration = 5000
    """How long."""
    memory: Memory = 0
    cpu: Cpu = 0
    either: Bool | Int = 0
    free: dict[str, Any] = Field(default_factory=dict)
    anything: Any = None
    things: dict[Name, Inner] = Field(default_factory=dict)
    names: tuple[Name, ...] = ()


class Circular(Spec):
    """Contains itself."""

    below: Circular | None = None


class Pair(Spec):
    """Two by position."""

    both: tuple[int, str]


class Choices(Spec):
    """A union of words and numbers that no structural schema can tell apart."""

    choice: Literal["a", "b"] | Int


def fields() -> dict[str, Any]:
    properties: dict[str, Any] = structural(Outer)["properties"]
    return properties


def test_a_union_with_nothing_is_nullable():
    assert fields()["choice"] == {"enum": ["a", "b", None], "type": "string", "nullable": True}


def test_a_constant_is_a_choice_of_one():
    assert fields()["fixed"]["enum"] == ["one"]


def test_bounds_that_exclude_are_written_as_openapi_has_them():
    assert fields()["inner"]["properties"]["count"] == {
        "type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 5, "exclusiveMaximum": True, "nullable": True,
    }  # fmt: skip


def test_text_or_a_whole_number_is_int_or_string():
    assert fields()["memory"]["x-kubernetes-int-or-string"] is True


def test_other_mixtures_refuse_what_no_branch_takes():
    cpu, either = fields()["cpu"], fields()["either"]
    assert cpu[ANYTHING] is True
    assert (cpu["minimum"], cpu["maxItems"], cpu["maxProperties"], cpu["not"]) == (0, 0, 0, {"enum": [True, False]})
    assert (either["multipleOf"], either["maxLength"]) == (1, 0)
    assert "not" not in either


def test_what_may_be_anything_is_kept():
    assert fields()["free"] == {"type": "object", ANYTHING: True}
    assert fields()["anything"] == {ANYTHING: True}


def test_defaults_are_told_and_never_filled_in():
    assert fields()["wait"]["description"].startswith("How long. Default: ")
    assert "'default':" not in str(structural(Outer))


def test_what_holds_among_fields_becomes_cel():
    assert fields()["inner"][CEL] == [
        {
            "rule": "[has(self.__for__), has(self.otherThing)].exists_one(given, given)",
            "message": "exactly one of for or otherThing is needed",
        },
        {"rule": "!has(self.count) || self.count > 1", "message": "more than one"},
    ]


def test_keys_have_their_rule_and_maps_with_rules_inside_a_bound():
    things = fields()["things"]
    assert things["maxProperties"] == 10_000
    assert things[CEL][0]["rule"].startswith("self.all(key, size(key) <= 52 && key.matches(")


def test_a_description_of_a_field_goes_before_that_of_its_type():
    assert fields()["inner"]["description"] == "The thing inside."


@pytest.mark.parametrize(("model", "why"), [(Circular, "contains itself"), (Pair, "prefixItems"), (Choices, "this union")])
def test_what_no_structural_schema_can_say_is_refused(model: type[Spec], why: str):
    with pytest.raises(ValueError, match=why):
        structural(model)


def test_a_new_kind_needs_nothing_but_itself():
    definitions = crds(SMALL)
    assert [one["spec"]["names"]["kind"] for one in definitions] == [kind.name for kind in SMALL]
    health = next(one for one in definitions if one["spec"]["names"]["kind"] == "Service")
    schema = health["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["health"]
    assert schema["anyOf"] == [{"required": ["http"]}, {"required": ["tcp"]}]


def test_a_column_of_the_kind_takes_the_place_of_one_of_all_kinds():
    kind = Kind("Thing", "things", "fleet", Outer, "fleetthings", columns=(Column("Held", ".spec.fixed", "What it is."),))
    assert [column.name for column in columns(kind)] == ["Ready", "Reason", "Held", "Revision", "Message", "Age"]
