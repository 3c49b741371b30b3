"""The table of codes that `fleet explain` reads."""

from __future__ import annotations

import re

import pytest

from reconciler.core.codes import documents, fleet, references, specs, table
from reconciler.kinds import KINDS as REAL
from reconciler.model.findings import Code, error
from reconciler.model.kind import Kind
from tests.core.kinds import KINDS, ImageSpec


def test_ids_are_three_letters_and_three_digits() -> None:
    assert all(re.fullmatch(r"[A-Z]{3}[0-9]{3}", id) for id in table((*KINDS, *REAL)))


@pytest.mark.parametrize("code", table((*KINDS, *REAL)).values(), ids=lambda code: code.id)
def test_code_is_explained(code: Code) -> None:
    assert code.title
    assert len(code.about) > len(code.title)


@pytest.mark.parametrize("code", [*documents.CODES, *fleet.CODES, *specs.CODES, *references.CODES], ids=lambda code: code.id)
def test_explanation_of_a_document_fault_has_an_example_or_a_fix(code: Code) -> None:
    assert len(code.about) > 100
    assert "Fix:" in code.about or "Example:" in code.about


def test_id_that_is_given_twice_is_refused() -> None:
    again = Kind("Again", "again", "fleet", ImageSpec, "again", codes=(error("DOC001", "another"),))
    with pytest.raises(ValueError, match="DOC001 is given twice"):
        table((*KINDS, again))
