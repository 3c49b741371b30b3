import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.report import Unreadable, read_report
from pipelines.core.tell import sentences
from pipelines.core.vex import NotVex, read_vex
from pipelines.core.visible import visible
from pipelines.model.verdict import Judged, Stance, Verdict
from pipelines.model.vulnerability import LEVELS, Package, Vulnerability
from tests.pipelines.test_rescan import verdict

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Results", "Packages", "Name", "Vulnerabilities", "statements"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_report_or_is_refused(value: object) -> None:
    with_schema = {**value, "SchemaVersion": 2} if isinstance(value, dict) else value
    try:
        assert read_report(json.dumps(with_schema).encode(), "trivy", "").scanner == "trivy"
    except Unreadable as refused:
        assert str(refused).startswith("it ")  # noqa: PT017


@given(JSON)
def test_any_json_is_vex_or_is_refused(value: object) -> None:
    with_context = {**value, "@context": "https://openvex.dev/ns/v0.2.0"} if isinstance(value, dict) else value
    try:
        assert isinstance(read_vex("x.json", json.dumps(with_context).encode()), tuple)
    except NotVex as refused:
        assert str(refused).startswith("x.json")  # noqa: PT017


PRODUCT = {"@id": "pkg:pypi/requests"}
REFUSED = {
    "another document": ({"@context": "https://example.invalid"}, "not an OpenVEX document"),
    "another status": ({"statements": [{"vulnerability": "CVE-1", "products": [PRODUCT], "status": "fine"}]}, "is none of"),
    "no reason": ({"statements": [{"vulnerability": "CVE-1", "products": [PRODUCT], "status": "not_affected"}]}, "says why"),
    "no product": ({"statements": [{"vulnerability": "CVE-1", "status": "fixed"}]}, "names no products"),
    "a product that is no package": (
        {"statements": [{"vulnerability": "CVE-1", "products": [{"@id": "https://x"}], "status": "fixed"}]},
        "no package URL",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_vex_that_could_excuse_nothing_is_refused_with_a_sentence(name: str) -> None:
    value, sentence = REFUSED[name]
    with pytest.raises(NotVex, match=sentence):
        read_vex("x.json", json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", **value}).encode())


@given(st.text())
def test_what_is_visible_can_be_printed(text: str) -> None:
    assert visible(text).isprintable()
    assert len(visible(text, 10)) <= 10 * 10 + 1


def test_a_hostile_package_cannot_write_to_the_terminal() -> None:
    package = Package("evil\x1b]0;pwned\x07\n", "1\r\x1b[2J")
    said = list(
        sentences(verdict(Judged(Vulnerability("CVE-1\x1b[1m", "HIGH", package, "2\x08", "\x1b[5m" * 100), "base", Stance.FAILS)), {})
    )
    assert all(line.isprintable() for line in said), said


def found(count: int, package: str = "openssl", level: str = "HIGH", owner: str = "base") -> list[Judged]:
    return [Judged(Vulnerability(f"CVE-{number:03}", level, Package(package, "1"), "2"), owner, Stance.FAILS) for number in range(count)]


def test_the_worst_image_is_told_first_and_only_the_largest_of_its_vulnerabilities() -> None:
    said = "\n".join(sentences(verdict(*found(2, level="CRITICAL", owner="web"), *found(30)), {"base": 1}))
    assert said.index("of web itself:") < said.index("fix in base (1 image inherits it):")
    assert said.count("HIGH") == 10
    assert said.endswith("    and 20 more")


def test_one_vulnerability_of_a_source_package_is_one_line() -> None:
    packages = [Package(f"lib{letter}", "1", "openssl") for letter in "abcde"]
    many = [Judged(Vulnerability("CVE-1", "HIGH", package, "2"), "base", Stance.FAILS) for package in packages]
    assert list(sentences(verdict(*many), {}))[-1] == "    HIGH CVE-1 in liba, libb, libc and 2 more (1 -> 2)"


def test_levels_are_told_largest_first() -> None:
    every = [one for level in LEVELS for one in found(1, level, level)]
    lines = [
        line.split()[0]
        for line in sentences(verdict(*sorted(every, key=lambda one: -LEVELS.index(one.vulnerability.level))), {})
        if "CVE" in line
    ]
    assert lines == ["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"]


def test_a_verdict_with_a_fault_in_its_policy_never_passes() -> None:
    judged = verdict()
    assert judged.passed
    faulty = Verdict(judged.image, judged.day, judged.scanner, judged.database, judged.policy, (), faults=("x.json is not JSON",))
    assert not faulty.passed
    assert "  x.json is not JSON" in sentences(faulty, {})
