"""The table of codes that `fleet explain` reads."""

from __future__ import annotations

import re

import pytest

from reconciler.core.codes import CORE, table
from reconciler.kinds import KINDS as REAL
from reconciler.model.findings import Code, error
from reconciler.model.kind import Kind
from tests.core.kinds import KINDS, ImageSpec


def test_ids_are_three_letters_and_three_digits() -> None:
    assert all(re.fullmatch(r"[A-Z]{3}[0-9]{3}", id) for id in table((*KINDS, *REAL)))


@pytest.mark.parametrize("code", CORE, ids=lambda code: code.id)
def test_code_of_the_core_is_explained_with_an_example_or_a_fix(code: Code) -> None:
    assert code.title
    assert len(code.about) > 100
    assert code.id in {"SPC005", "REF007"} or "Fix:" in code.about or "Example:" in code.about


def test_codes_of_kinds_have_a_title_and_an_explanation() -> None:
    assert [code.id for kind in REAL for code in kind.codes if not (code.title and code.about)] == []


def test_id_that_is_given_twice_is_refused() -> None:
    again = Kind("Again", "again", "fleet", ImageSpec, "again", codes=(error("DOC001", "another"),))
    with pytest.raises(ValueError, match="DOC001 is given twice"):
        table((*KINDS, again))
