"""Tags are valid wherever they come from."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.core.tags import dated_tag, fallback_tag, key_tag, previous_tag
from pipelines.model.reference import TAG

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("key", [HEX, f"sha256:{HEX}", f"k-{HEX}"])
def test_key_has_one_tag_however_it_is_written(key):
    assert key_tag(key) == f"k-{HEX}"
    assert TAG.fullmatch(key_tag(key))


@pytest.mark.parametrize("key", ["", "latest", HEX.upper(), f"{HEX}0", f"../{HEX}", "k-12"])
def test_what_is_no_key_names_no_tag(key):
    with pytest.raises(ValueError, match="no key"):
        key_tag(key)


@pytest.mark.parametrize(("digest", "tag"), [(f"sha256:{HEX}", f"sha256-{HEX}"), (f"sha512:{HEX}{HEX}", f"sha512-{HEX}")])
def test_list_of_referrers_is_where_the_specification_puts_it(digest, tag):
    assert fallback_tag(digest) == tag


def test_label_says_when_and_from_which_commit():
    assert dated_tag(date(2026, 11, 21), "1a2b3c4d5e6f") == "20261121-1a2b3c4"
    assert previous_tag("stable") == "stable-prev"


def test_label_that_would_be_no_tag_is_refused():
    with pytest.raises(ValueError, match="no commit"):
        dated_tag(date(2026, 11, 21), "main")
    with pytest.raises(ValueError, match="no tag"):
        previous_tag("t" * 124)
