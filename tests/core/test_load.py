"""The loader: what values mean, where they stand, and that nothing makes it raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.load import load

SNIPPETS = ["a: 1\n", "- ", "? ", ": ", "[", "]", "{", "}", "&a ", "*a", "!!str ", "<<: ", "|\n ", ">-\n", '"', "'", "\t", "---\n", "...\n"]
SNIPPETS += ["%YAML 1.1\n", "\ufeff", "\u202e", "\x00", "yes", "017", ".nan", "1e999", "#", "\r", "\n", "  ", "k: v", '"\\u0000"', "\u2028"]


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(SNIPPETS), max_size=60).map(lambda parts: "".join(parts).encode())))
@settings(max_examples=400, deadline=None, database=None)
def test_any_bytes_give_a_value_or_findings(data: bytes) -> None:
    loaded = load("a.yaml", data)
    assert loaded.findings or loaded.value is not None
    for finding in loaded.findings:
        assert finding.place.line >= 1
        assert finding.place.column >= 1
        assert finding.message
        assert finding.fix
    loaded.marks.value(("a", 0))
    loaded.marks.key(("a",))


SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(st.text("abcdef", min_size=1), VALUES, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None, database=None)
def test_json_means_what_it_means_in_json(value: Any) -> None:
    import json

    loaded = load("a.yaml", json.dumps(value).encode())
    assert loaded.findings == ()
    assert loaded.value == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-7", -7),
        ("+3", 3),
        ("0x1F", 31),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("1_000", "1_000"),
        ("535.183.01", "535.183.01"),
        ("20261118-4be1d07", "20261118-4be1d07"),
        ("0b11", "0b11"),
        ("'yes'", "yes"),
        ('"017"', "017"),
        ("yesterday", "yesterday"),
        ("tRue", "tRue"),
        ("64Gi", "64Gi"),
        ("-", "-"),
        ("9223372036854775807", 2**63 - 1),
        ("Grüße 🙂", "Grüße 🙂"),
    ],
)
def test_scalar_means(written: str, value: object) -> None:
    loaded = load("a.yaml", f"k: {written}\nl: 0".encode()) if written != "-" else load("a.yaml", b"k: '-'\nl: 0")
    assert loaded.findings == ()
    assert loaded.value["k"] == value
    assert type(loaded.value["k"]) is type(value)


def test_whole_numbers_may_be_keys() -> None:
    assert load("a.yaml", b"waves: {0: platform, 10: core}").value == {"waves": {0: "platform", 10: "core"}}


def test_positions_are_those_of_keys_and_values() -> None:
    marks = load("a.yaml", 'a:\n  - x\n  - {ü: 1,  c: [2, 3]}\n"q.r":  |\n  text\n'.encode()).marks
    assert marks.value(()) == (1, 1)
    assert marks.key(("a",)) == (1, 1)
    assert marks.value(("a",)) == (2, 3)
    assert marks.value(("a", 1)) == (3, 5)
    assert marks.key(("a", 1, "c")) == (3, 13)
    assert marks.value(("a", 1, "c", 1)) == (3, 20)
    assert marks.key(("q.r",)) == (4, 1)
    assert marks.value(("q.r",)) == (4, 9)


def test_position_of_what_is_not_there_is_its_nearest_parents() -> None:
    marks = load("a.yaml", b"a:\n  b: {c: 1}\n").marks
    assert marks.value(("a", "b", "nothing", 3)) == (2, 6)
    assert marks.key(("a", "b", "nothing")) == (2, 6)
    assert marks.value(("z",)) == (1, 1)


def test_reading_goes_on_behind_a_doubtful_value() -> None:
    loaded = load("a.yaml", b"a: yes\nb: 017\na: 2\nc: [1, {d: 3}]\n")
    assert [finding.code for finding in loaded.findings] == ["DOC013", "DOC014", "DOC011"]
    assert loaded.value == {"a": True, "b": 17, "c": [1, {"d": 3}]}


def test_findings_of_one_file_are_bounded() -> None:
    assert len(load("a.yaml", b"a: yes\n" * 20_000).findings) == 50


@pytest.mark.parametrize("text", ["lockVersion: 1\nimages: {}\n", "scope: Service\nexpression: has(object.spec.health)\n"])
def test_locks_and_rules_are_read_too(text: str) -> None:
    assert load("fleet.lock", text.encode()).findings == ()
