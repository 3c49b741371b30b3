"""What a 401 demands is read in every form that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters.registry.challenge import challenges

CASES = yaml.safe_load(Path(__file__).with_name("challenges.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["headers"][0][:40])
def test_challenge_is_read(case):
    assert [{"scheme": one.scheme, **one.parameters} for one in challenges(case["headers"])] == case["read"]


@given(st.lists(st.text(alphabet='Bearer Basic=",\\ \t;x', max_size=200), max_size=3))
def test_no_header_breaks_the_reader(headers):
    for one in challenges(headers):
        assert one.scheme == one.scheme.lower()


def test_header_that_never_ends_is_read_for_a_while_only():
    assert len(challenges(["a, " * 100_000])) < 10_000
