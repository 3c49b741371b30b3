"""What passes at a glance passes the meta-schema, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.kinds.tool_catalog.plain import _KEYWORDS, is_plain

META = Draft202012Validator(Draft202012Validator.META_SCHEMA)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "object", "string", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*_KEYWORDS, "if", "x"]), inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = st.dictionaries(st.sampled_from(sorted(_KEYWORDS)), VALUES, max_size=4)
REFERENCE = yaml.safe_load((Path(__file__).parents[3] / "specs" / "tool-catalogs" / "core.yaml").read_text())["spec"]["tools"]


@settings(max_examples=400, deadline=None)
@given(SCHEMAS)
def test_a_plain_schema_is_valid(schema):
    if is_plain(schema):
        assert META.is_valid(schema)


@pytest.mark.parametrize("keyword", sorted(_KEYWORDS))
def test_no_keyword_takes_what_the_meta_schema_refuses(keyword):
    for value in (
        None,
        True,
        False,
        -1,
        0,
        1,
        1.5,
        "",
        "a",
        "object",
        [],
        ["a"],
        ["a", "a"],
        [1],
        [{}],
        [None],
        {},
        {"a": {}},
        {"a": 1},
        {"type": 1},
    ):
        if is_plain({keyword: value}):
            assert META.is_valid({keyword: value}), value


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_schemas_of_the_reference_catalog_are_valid(name):
    META.validate(REFERENCE[name]["parameters"])
