"""Rules as they are asked of a fleet: what is found, where, and how much it matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml

from reconciler.core.environment import environment
from reconciler.core.policy import policy
from reconciler.core.resolve import resolve
from reconciler.core.understand import understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.model.fleet import Environment
from reconciler.model.lock import Lock
from tests.kinds.cases import files

TODAY = date(2026, 11, 21)
HEALTH = """\
scope: Service
expression: has(object.spec.health)
message: "{name} of {tenant} has no health check"
fix: add one
cases: {good: {health: {tcp: http}}, bad: {}}
"""
WITH_RULES = {"PolicyPack/default": {"rules": "policies/default"}}
NO_HEALTH = {"Service/acme/api": {"health": None, "ports": {"http": 8080}, "image": "web", "machine": "big", "hardware": "cpu"}}


def rule(expression: str, scope: str = "Service", good: Any = None, bad: Any = None, **fields: Any) -> str:
    cases = {"good": good if good is not None else {}, "bad": bad if bad is not None else {}}
    return yaml.safe_dump(
        {"scope": scope, "expression": expression, "message": "{name}: it does not hold", "fix": "mend it", "cases": cases, **fields}
    )


def judged(rules: dict[str, str], given: dict[str, Any] | None = None, today: date = TODAY, **over: Any) -> tuple[Finding, ...]:
    """Findings of policy on the base fleet with these rules in the default pack."""
    written = {path if "/" in path else f"policies/default/{path}.yaml": text.encode() for path, text in rules.items()}
    tree = SourceTree("0" * 40, False, {**dict(files({**WITH_RULES, **(given or {})})), **written})
    reading = understand(tree, KINDS)
    where = environment(reading.fleet, None)
    assert isinstance(where, Environment)
    graph = resolve(reading.fleet, KINDS, reading.linking, replace(where, **over), Lock(), tree, today, findings=reading.findings)
    return policy(graph, KINDS, today)


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{found.severity} {found.code} {found.subject}" for found in findings]


def test_a_rule_that_does_not_hold_is_a_warning_at_the_field_it_reads():
    (found,) = judged({"SVC101": HEALTH}, {"Service/acme/api": {"health": None}})
    assert told((found,)) == ["warning SVC101 Service/acme/api"]
    assert found.message == "api of acme has no health check"
    assert found.fix == "add one"
    assert found.place.path == "specs/services/acme/api.yaml"
    assert found.place.line > 0


def test_a_rule_that_holds_says_nothing():
    assert judged({"SVC101": HEALTH}) == ()


def test_a_blocked_code_is_an_error():
    given = {"PolicyPack/default": {"rules": "policies/default", "block": ["SVC101"]}, "Service/acme/api": {"health": None}}
    assert told(judged({"SVC101": HEALTH}, given)) == ["error SVC101 Service/acme/api"]


def test_a_tenant_may_block_more_for_itself():
    given = {"Tenant/acme": {"policy": {"overrides": {"block": ["SVC101"]}}}, "Service/acme/api": {"health": None}}
    assert told(judged({"SVC101": HEALTH}, given)) == ["error SVC101 Service/acme/api"]


def test_rules_are_those_of_the_tenants_pack():
    given = {
        "PolicyPack/default": {"rules": None},
        "PolicyPack/strict": {"version": "1.0", "extends": "default", "rules": "policies/strict"},
        "Tenant/globex": {"tier": "team", "policy": {"pack": "strict"}},
        "Service/globex/api": {"image": "web", "machine": "big", "hardware": "cpu"},
        "Service/acme/api": {"health": None},
    }
    assert told(judged({"policies/strict/SVC101.yaml": HEALTH}, given)) == ["warning SVC101 Service/globex/api"]


def test_a_rule_replaces_that_of_the_pack_below_with_the_same_code():
    given = {
        "PolicyPack/strict": {"version": "1.0", "extends": "default", "rules": "policies/strict"},
        "Tenant/acme": {"policy": {"pack": "strict"}},
        "Service/acme/api": {"health": None},
    }
    other = HEALTH.replace("scope: Service", "scope: Service\nseverity: info")
    assert told(judged({"SVC101": HEALTH, "policies/strict/SVC101.yaml": other}, given)) == ["info SVC101 Service/acme/api"]


def test_what_belongs_to_the_whole_fleet_is_judged_by_the_fleets_pack():
    sized = rule("has(object.spec.sizeBudget)", "Image", {"sizeBudget": "1Gi"}, {})
    assert told(judged({"IMG101": sized})) == ["warning IMG101 Image/web"]
    assert judged({"IMG101": sized}, {"Fleet/fleet": {"policy": None}, "Tenant/acme": {"policy": {"pack": "default"}}}) == ()


def test_what_is_kept_is_not_judged():
    assert judged({"SVC101": HEALTH}, {"Service/acme/api": {"health": None, "machine": "nowhere"}}) == ()


@pytest.mark.parametrize(
    ("expression", "scope", "good", "bad", "given", "subject"),
    [
        (
            "linked.Image.all(image, has(image.spec.sizeBudget))",
            "Service",
            {},
            {"spec": {}, "linked": {"Image": [{"spec": {}}]}},
            {},
            "Service/acme/api",
        ),
        (
            "placement.placed",
            "Service",
            {},
            {"spec": {}, "placement": {"placed": False}},
            {"Service/acme/api": {"hardware": "gpu", "machine": "small"}},
            "Service/acme/api",
        ),
        (
            "tenant.usage.memory <= tenant.quotas.memory",
            "Tenant",
            {"spec": {}, "tenant": {"quotas": {"memory": 1}, "usage": {"memory": 1}}},
            {"spec": {}, "tenant": {"quotas": {"memory": 1}, "usage": {"memory": 2}}},
            {"Tenant/acme": {"quotas": {"memory": "1023Mi"}}, "Service/acme/api": {"replicas": 2}},
            "Tenant/acme",
        ),
        ("today != '2026-11-21'", "Service", {}, {"spec": {}, "today": "2026-11-21"}, {}, "Service/acme/api"),
        (
            "policy.budgets.tokensPerRun > 100",
            "Service",
            {"spec": {}, "policy": {"budgets": {"tokensPerRun": 101}}},
            {"spec": {}, "policy": {"budgets": {"tokensPerRun": 1}}},
            {"Tenant/acme": {"policy": {"overrides": {"budgets": {"tokensPerRun": 100}}}}},
            "Service/acme/api",
        ),
        (
            "!object.spec.env.HOST.contains('example')",
            "Service",
            {"env": {"HOST": "x"}},
            {"env": {"HOST": "example"}},
            {"Service/acme/api": {"env": {"HOST": "${env.domain}"}}},
            "Service/acme/api",
        ),
        (
            "object.name != 'api' && object.tenant == 'acme'",
            "Service",
            {"spec": {}, "name": "web", "tenant": {"name": "acme"}},
            {"spec": {}, "name": "api"},
            {},
            "Service/acme/api",
        ),
    ],
    ids=["linked", "placement", "tenant", "today", "policy", "environment", "object"],
)
def test_a_rule_sees_its_spec_and_what_surrounds_it(expression, scope, good, bad, given, subject):
    assert told(judged({"SVC199": rule(expression, scope, good, bad)}, given)) == [f"warning SVC199 {subject}"]


def test_values_are_those_of_the_environment():
    host = rule("object.spec.env.HOST == 'other.example'", good={"env": {"HOST": "other.example"}}, bad={"env": {"HOST": ""}})
    given = {"Service/acme/api": {"env": {"HOST": "${env.domain}"}}}
    assert judged({"SVC199": host}, given, values={"domain": "other.example"}) == ()
    assert told(judged({"SVC199": host}, given)) == ["warning SVC199 Service/acme/api"]


def test_a_rule_that_reads_an_absent_field_has_not_said_yes():
    careless = rule("object.spec.expose.tls", good={"expose": {"tls": True}}, bad={"expose": {"tls": False}})
    (found,) = judged({"SVC199": careless})
    assert (found.code, found.severity) == ("POL009", "warning")
    assert "SVC199 cannot be judged: `expose` is not there; ask `has(...)` first" in found.message
    (blocked,) = judged({"SVC199": careless}, {"PolicyPack/default": {"rules": "policies/default", "block": ["SVC199"]}})
    assert (blocked.code, blocked.severity) == ("POL009", "error")


def test_a_rule_whose_answer_is_no_answer_has_not_said_yes():
    vague = rule("object.spec.env.A", good={"env": {"A": True}}, bad={"env": {"A": False}})
    (found,) = judged({"SVC199": vague}, {"Service/acme/api": {"env": {"A": "yes"}}})
    assert found.code == "POL009"


def test_a_spec_that_is_too_large_for_a_rule_is_said_to_be():
    pairs = "object.spec.env.all(a, object.spec.env.all(b, a == b || object.spec.env[a] + 'x' != object.spec.env[b]))"
    given = {"Service/acme/api": {"env": {f"KEY_{number}": f"{number}" for number in range(3000)}}}
    found = judged({"SVC199": rule(pairs, good={"env": {"A": "1"}}, bad={"env": {"A": "1x", "B": "1"}})}, given)
    assert [one.code for one in found] == ["POL009"]


def test_one_rule_that_fails_hides_no_other():
    careless = rule("object.spec.expose.tls", good={"expose": {"tls": True}}, bad={"expose": {"tls": False}})
    found = judged({"SVC101": HEALTH, "SVC199": careless, "SVC198": rule("false", good={}, bad={})}, {"Service/acme/api": {"health": None}})
    assert [one.code for one in found] == ["POL005", "POL009", "SVC101"]


def test_without_rules_there_is_nothing_to_say():
    assert judged({}, {"PolicyPack/default": {"rules": None}}) == ()


def test_the_order_of_files_changes_nothing():
    rules = {f"SVC1{n}": HEALTH.replace("health check", f"health check {n}") for n in range(10, 20)}
    given = {"Service/acme/api": {"health": None}}
    assert judged(rules, given) == judged(dict(reversed(rules.items())), given)
