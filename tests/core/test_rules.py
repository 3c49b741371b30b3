"""Rule files: what is wrong with one, and the exact place of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.cel.cost import MAX_STEPS
from reconciler.core.cel.engine import Expression, Unjudged, activation, compiled
from reconciler.core.rules import case_values, read_rule
from reconciler.core.view import blank, describe
from reconciler.kinds import KINDS
from reconciler.kinds.policy_pack.rules import Case

TABLE = yaml.safe_load((Path(__file__).parent / "cases" / "rules.yaml").read_text())
VARIABLES = describe(next(kind for kind in KINDS if kind.name == "Service"), KINDS)


@pytest.mark.parametrize("case", TABLE["files"], ids=lambda case: case["says"].replace(" ", "_"))
def test_a_fault_in_a_rule_is_found_where_it_stands(case):
    judge, wrong = read_rule(f"policies/default/{case.get('name', 'SVC101')}.yaml", case["text"].encode(), KINDS)
    assert judge is None
    assert [f"{found.code} {found.place.line}:{found.place.column}" for found in wrong] == case["found"]
    assert case.get("fix", "") in wrong[0].fix
    assert all(found.message and found.is_error for found in wrong)


@pytest.mark.parametrize("expression", TABLE["ends"])
def test_an_ordinary_expression_is_known_to_end(expression):
    assert isinstance(compiled(expression, VARIABLES), Expression)


@pytest.mark.parametrize("expression", TABLE["may not end"])
def test_an_expression_that_may_take_for_ever_is_refused_before_it_runs(expression):
    faults = compiled(expression, VARIABLES)
    assert not isinstance(faults, Expression)
    assert [fault.flaw for fault in faults] == ["cost"]


@pytest.mark.parametrize("expression", TABLE["ends"])
@pytest.mark.parametrize("shape", ["wide", "deep", "long"])
def test_what_is_known_to_end_ends_on_the_largest_spec_it_may_be_asked_about(expression, shape):
    """The proof of the bound: were it wrong, this would not come back."""
    found = compiled(expression, VARIABLES)
    assert isinstance(found, Expression)
    room = min(found.capacity, 1 << 20)
    env: dict[str, Any] = {
        "wide": {f"K{number}": "v" for number in range(room // 12)},
        "deep": {"K": "a" * (room // 4), **{f"K{number}": "b" * 200 for number in range(room // 400)}},
        "long": {"K": "a" * (room - 10)},
    }[shape]
    spec = {"env": env, "ports": dict.fromkeys(env, 8080), "dependsOn": list(env), "image": "web", "health": {"http": "/"}}
    values = case_values(Case.model_validate({"spec": spec}), KINDS)
    answer: object = None
    with suppress(Unjudged):  # more iterations than the engine does: that is an end, too
        answer = found.holds(activation(values))
    assert answer in (True, False, None)


def test_a_bound_counts_what_an_expression_does_with_a_loop_in_a_loop():
    once = compiled("object.spec.env.all(a, a != 'x')", VARIABLES)
    twice = compiled("object.spec.env.all(a, object.spec.env.all(b, a + b != 'x'))", VARIABLES)
    assert isinstance(once, Expression)
    assert isinstance(twice, Expression)
    assert twice.capacity < once.capacity / 10


def test_a_rule_that_is_right_has_no_findings():
    text = "scope: Service\nexpression: has(object.spec.health)\nmessage: m\nfix: f\ncases: {good: {health: {tcp: http}}, bad: {}}\n"
    judge, wrong = read_rule("policies/default/SVC101.yaml", text.encode(), KINDS)
    assert wrong == ()
    assert judge is not None
    assert judge.pointer == ("spec", "health")
    assert judge.expression.reads == {"object"}


def test_a_case_that_says_little_stands_in_a_blank_world():
    assert case_values(Case(), KINDS) == {**blank(KINDS), "today": "2026-01-01"}


def test_the_limit_is_about_a_second_of_work():
    assert MAX_STEPS == 10_000_000
