"""The rules of the repository: each is tried on its own good and bad case."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.core.cel.engine import activation
from reconciler.core.rules import Judge, case_values, read_rule
from reconciler.kinds import KINDS

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "policies").glob("*/*.yaml"))
PACKS = {path.stem: yaml.safe_load(path.read_text())["spec"] for path in sorted((ROOT / "specs" / "policy-packs").glob("*.yaml"))}
PREFIXES = {kind.codes[0].id[:3]: kind.name for kind in KINDS if kind.codes}


def judge(path: str) -> Judge:
    found, wrong = read_rule(path, (ROOT / path).read_bytes(), KINDS)
    assert wrong == ()
    assert found is not None
    return found


@pytest.mark.parametrize("path", FILES)
def test_a_rule_holds_for_its_good_case_and_not_for_its_bad_one(path):
    rule = judge(path)
    assert rule.expression.holds(activation(case_values(rule.rule.cases.good, KINDS)))
    assert not rule.expression.holds(activation(case_values(rule.rule.cases.bad, KINDS)))


@pytest.mark.parametrize("path", FILES)
def test_a_rule_is_explained_and_carries_the_prefix_of_its_kind(path):
    rule = judge(path)
    assert rule.rule.about
    assert PREFIXES[rule.code[:3]] == rule.rule.scope


@pytest.mark.parametrize("path", FILES)
def test_a_rule_can_judge_a_long_spec(path):
    assert judge(path).expression.capacity >= 10_000


def test_every_folder_of_rules_belongs_to_a_pack():
    assert {Path(path).parent.as_posix() for path in FILES} == {pack["rules"] for pack in PACKS.values()}


def test_no_code_stands_for_two_rules():
    codes = [Path(path).stem for path in FILES]
    assert len(set(codes)) == len(codes)


def test_everything_in_the_default_pack_is_a_warning():
    assert PACKS["default"].get("block", []) == []
    assert {judge(path).rule.severity for path in FILES} == {"warning"}
