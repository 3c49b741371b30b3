"""References mean what docker and podman mean by them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines.model.reference import BadReference, Reference, parse_reference

CASES = yaml.safe_load(Path(__file__).with_name("references.yaml").read_text())


@pytest.mark.parametrize("case", [case for case in CASES if "wrong" not in case], ids=lambda case: case["text"][:40])
def test_reference_is_read(case):
    found = parse_reference(case["text"])
    assert (found.repository.host, found.repository.path, found.tag, found.wanted) == (
        case["host"],
        case["path"],
        case.get("tag", ""),
        case["wanted"],
    )


@pytest.mark.parametrize("case", [case for case in CASES if "wrong" in case], ids=lambda case: repr(case["text"][:40]))
def test_what_is_no_reference_is_refused(case):
    with pytest.raises(BadReference, match=case["wrong"]):
        parse_reference(case["text"])


@pytest.mark.parametrize("case", [case for case in CASES if "wrong" not in case], ids=lambda case: case["text"][:40])
def test_reference_in_full_means_the_same(case):
    found = parse_reference(case["text"])
    assert isinstance(found, Reference)
    assert parse_reference(str(found)) == found
