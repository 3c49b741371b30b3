import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.versions import compare, deb

CASES = yaml.safe_load((Path(__file__).parent / "versions.yaml").read_text())
ECOSYSTEMS = ("deb", "rpm", "apk", "pypi", "golang", "npm", "other")
VERSION = st.text("0129.a~+-:rc_v^", max_size=12)


@pytest.mark.parametrize(("ecosystem", "one", "other"), [(kind, *map(str, pair)) for kind, case in CASES.items() for pair in case["older"]])
def test_older_is_below_newer(ecosystem: str, one: str, other: str) -> None:
    assert compare(ecosystem, one, other) < 0 < compare(ecosystem, other, one)


@pytest.mark.parametrize(("ecosystem", "one", "other"), [(kind, *map(str, pair)) for kind, case in CASES.items() for pair in case["same"]])
def test_versions_that_are_written_differently_may_be_the_same(ecosystem: str, one: str, other: str) -> None:
    assert compare(ecosystem, one, other) == 0 == compare(ecosystem, other, one)


@given(st.sampled_from(ECOSYSTEMS), VERSION, VERSION)
def test_any_text_has_a_place(ecosystem: str, one: str, other: str) -> None:
    order, back = compare(ecosystem, one, other), compare(ecosystem, other, one)
    assert (order > 0) == (back < 0)
    assert (order == 0) == (back == 0)
    assert compare(ecosystem, one, one) == 0


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg here")
def test_debian_versions_are_ordered_as_dpkg_orders_them() -> None:
    known = sorted({str(version) for kind in ("older", "same") for pair in CASES["deb"][kind] for version in pair})
    for one in known:
        for other in known[::3]:
            said = [
                subprocess.run(["dpkg", "--compare-versions", one, sign, other], check=False).returncode == 0 for sign in ("lt", "eq", "gt")
            ]
            order = deb(one, other)
            assert said == [order < 0, order == 0, order > 0], (one, other)
