"""Which tools a tenant gets, and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from reconciler.kinds.tool_catalog.resolve import Excluded, Included, entitle, matches, published, resolve
from reconciler.kinds.tool_catalog.spec import Selection, ToolCatalogSpec

TABLE = yaml.safe_load((Path(__file__).parent / "data" / "decisions.yaml").read_text())
TODAY = date(2026, 11, 21)
TOOL = {"description": "Does it.", "endpoint": {"service": "platform/tools", "path": "/do"}, "parameters": {"type": "object"}}
CATALOG = ToolCatalogSpec.model_validate(
    {
        "profiles": TABLE["catalog"]["profiles"],
        "tools": {name: {**TOOL, "risk": risk} for name, risk in TABLE["catalog"]["tools"].items()},
    }
)


def selection(**fields) -> Selection:
    return Selection.model_validate({"catalog": "core", **fields})


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["says"].replace(" ", "_"))
def test_a_selection_gets_these_tools_for_these_reasons(case):
    found = resolve(CATALOG, selection(**case["selection"]), TODAY)
    assert set(found) == set(CATALOG.tools)
    for name, decision in found.items():
        expected = case["gets"].get(name, "")
        assert isinstance(decision, Included) == expected.startswith("+"), f"{name}: {decision}"
        assert expected.removeprefix("+ ").removeprefix("+") in decision.reason


def test_time_alone_does_not_change_what_is_published():
    chosen = selection(profile="full", grants={"process.start": {"by": "ana", "until": "2026-11-20"}})
    assert isinstance(resolve(CATALOG, chosen, TODAY)["process.start"], Excluded)
    assert isinstance(entitle(CATALOG, chosen)["process.start"], Included)
    assert published(CATALOG, chosen)["tools"]["process.start"]["until"] == "2026-11-20"


def test_a_published_tool_has_all_that_a_caller_needs():
    tool = published(CATALOG, selection(allow=["web.get"]))["tools"]["web.get"]
    assert tool == {
        **TOOL,
        "risk": "low",
        "actions": {"view": "viewer", "request": "operator", "enable": "admin"},
        "timeout": "30s",
        "sandboxed": False,
        "telemetry": {},
    }


@pytest.mark.parametrize(
    ("pattern", "tool", "is_match"),
    [
        ("*", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "ab.c", False),
        ("a.b", "a.b", True),
        ("a.b", "a.bc", False),
        ("a.b.*", "a.b.c", True),
    ],
)
def test_patterns_name_a_tool_a_group_or_all(pattern, tool, is_match):
    assert matches(pattern, tool) is is_match
