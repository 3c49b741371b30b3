from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.predicate import NotAVerdict, read_verdict, verdict_json
from pipelines.core.rescan import news, tell_news
from pipelines.model.verdict import Allowance, Judged, Stance, Statement, Unmatched, Use, Verdict, WaiverUse
from pipelines.model.vulnerability import LEVELS, Package, Vulnerability

DIGEST = f"sha256:{'a' * 64}"


def judged(id: str, stance: Stance = Stance.FAILS, owner: str = "base", fixed: str = "3.0.13") -> Judged:
    return Judged(
        Vulnerability(id, "CRITICAL", Package("libssl3", "3.0.11", "openssl", layer="sha256:x"), fixed, "openssl thing"), owner, stance
    )


def verdict(*found: Judged) -> Verdict:
    return Verdict("web", date(2026, 11, 21), "trivy 0.76.0", "2026-11-21T00:00:00Z", "sha256:p", found)


def test_what_was_not_known_before_is_new() -> None:
    after = verdict(judged("CVE-1"), judged("CVE-2"))
    found = news(DIGEST, verdict(judged("CVE-1")), after, ["platform/web"])
    assert [one.vulnerability.id for one in found.new] == ["CVE-2"]
    assert list(tell_news([found], {"base": 7})) == [
        "web fails: 1 new since the verdict before; runs in platform/web",
        "  fix in base (7 images inherit it):",
        "    CRITICAL CVE-2 in libssl3 (3.0.11 -> 3.0.13): openssl thing",
    ]


def test_what_mattered_already_is_no_news() -> None:
    same = verdict(judged("CVE-1"), judged("CVE-2", Stance.WARNS), judged("CVE-3", Stance.WAIVED))
    assert news(DIGEST, same, same).is_quiet
    assert list(tell_news([news(DIGEST, same, same)], {})) == []


def test_a_waiver_that_ended_and_a_warning_that_fails_now_are_news() -> None:
    before = verdict(judged("CVE-1", Stance.WAIVED), judged("CVE-2", Stance.WARNS, fixed=""))
    after = verdict(judged("CVE-1"), judged("CVE-2"))
    found = news(DIGEST, before, after)
    assert [one.vulnerability.id for one in found.new] == ["CVE-1", "CVE-2"]
    assert found.turned
    assert next(tell_news([found], {})).startswith("web fails now: 2 new")


def test_what_is_gone_or_waived_now_is_no_news_but_that_it_passes_is() -> None:
    found = news(DIGEST, verdict(judged("CVE-1"), judged("CVE-2")), verdict(judged("CVE-2", Stance.WAIVED)))
    assert found.new == ()
    assert {one.vulnerability.id for one in found.gone} == {"CVE-1", "CVE-2"}
    assert next(tell_news([found], {})) == "web passes now: 0 new since the verdict before; nothing runs it"


def test_without_a_verdict_before_all_that_matters_is_new() -> None:
    found = news(DIGEST, None, verdict(judged("CVE-1"), judged("CVE-2", Stance.PASSES)))
    assert [one.vulnerability.id for one in found.new] == ["CVE-1"]
    assert not found.turned


def test_what_runs_is_told_first_and_what_fails_before_what_passes() -> None:
    quiet = [
        replace(news(DIGEST, None, verdict(judged("CVE-1", stance))), image=name)
        for name, stance in (("a", Stance.WARNS), ("b", Stance.FAILS))
    ]
    runs = replace(news(DIGEST, None, verdict(judged("CVE-1", Stance.WARNS)), ["platform/c"]), image="c")
    assert [line[0] for line in tell_news([*quiet, runs], {}) if not line.startswith(" ")] == ["c", "b", "a"]


TEXT = st.text(max_size=8)
PACKAGE = st.builds(Package, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)
JUDGED = st.builds(
    Judged, st.builds(Vulnerability, TEXT, st.sampled_from(LEVELS), PACKAGE, TEXT, TEXT, TEXT), TEXT, st.sampled_from(Stance), TEXT
)
WAIVER = st.builds(Allowance, TEXT, TEXT, TEXT, TEXT, st.dates(), st.lists(TEXT, max_size=2).map(tuple), st.booleans())
STATEMENT = st.builds(Statement, TEXT, st.lists(TEXT, max_size=2).map(tuple), TEXT, TEXT, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple))
VERDICT = st.builds(
    Verdict,
    TEXT,
    st.dates(),
    TEXT,
    TEXT,
    TEXT,
    st.lists(JUDGED, max_size=3).map(tuple),
    st.lists(st.builds(WaiverUse, WAIVER, st.sampled_from(Use)), max_size=2).map(tuple),
    st.lists(st.builds(Unmatched, STATEMENT, TEXT), max_size=2).map(tuple),
    st.lists(TEXT, max_size=1).map(tuple),
    st.integers(0, 1 << 40),
    st.none() | st.integers(0, 1 << 40),
)


@given(VERDICT)
def test_a_verdict_is_read_back_as_it_was_written(verdict: Verdict) -> None:
    data = verdict_json(verdict)
    assert read_verdict(data) == verdict
    assert verdict_json(read_verdict(data)) == data


@given(VERDICT)
def test_a_verdict_that_says_passed_and_is_not_is_none(verdict: Verdict) -> None:
    said = f'"passed":{str(verdict.passed).lower()}'.encode()
    other = f'"passed":{str(not verdict.passed).lower()}'.encode()
    try:
        read_verdict(verdict_json(verdict).replace(said, other))
    except NotAVerdict as refused:
        assert "passing" in str(refused)  # noqa: PT017
    else:
        raise AssertionError


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b'{"type": "https://fleetwright.dev/verdict/v1"}']))
def test_anything_else_is_no_verdict(data: bytes) -> None:
    try:
        read_verdict(data)
    except NotAVerdict:
        return
    raise AssertionError
