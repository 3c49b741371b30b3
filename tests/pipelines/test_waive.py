from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from pipelines.core.baseline import TooLong, baseline
from pipelines.core.gate import allowances, gate
from pipelines.core.judge import judge
from pipelines.core.waive import Entry, waive
from pipelines.model.verdict import Subject, Verdict
from pipelines.model.vulnerability import Package, Report, Vulnerability
from reconciler.core.edit import NotEdited
from reconciler.core.load import load
from reconciler.kinds.image.spec import Gate
from reconciler.model.fleet import GateDefaults

TODAY = date(2026, 11, 21)
UNTIL = TODAY + timedelta(days=90)
HEAD = """\
apiVersion: fleetwright.dev/v1alpha1
kind: Image
metadata: {name: base} # the base
spec:
  from: {registry: docker.io/library/python:3.11-slim}
"""
ONE = Entry("CVE-2026-1", "ana", "not reachable", date(2026, 12, 31))
TWO = Entry("CVE-2026-2", "ben", "never fixed: see the tracker", date(2026, 12, 1), ("zlib", "zlib-ng"), while_unfixed=True)


def gate_of(data: bytes) -> Gate:
    return Gate.model_validate(load("base.yaml", data).value["spec"]["gate"])


def test_a_first_waiver_gets_lines_of_its_own() -> None:
    assert waive("base.yaml", HEAD.encode(), [TWO, ONE]).decode() == HEAD + (
        "  gate:\n"
        "    waivers:\n"
        '      CVE-2026-1: {owner: ana, reason: "not reachable", until: 2026-12-31}\n'
        '      CVE-2026-2: {owner: ben, reason: "never fixed: see the tracker", until: 2026-12-01, packages: [zlib, zlib-ng], while: unfixed}\n'
    )


def test_a_gate_without_waivers_gets_them() -> None:
    text = HEAD + "  gate:\n    failOn: [HIGH] # not critical?\n  epoch: 2\n"
    edited = waive("base.yaml", text.encode(), [ONE]).decode()
    assert "    failOn: [HIGH] # not critical?\n    waivers:\n      CVE-2026-1: {" in edited
    assert edited.endswith("  epoch: 2\n")


@pytest.mark.parametrize("before", ["  gate: {failOn: [HIGH]}\n", "  gate: {waivers: {}}\n", "  gate:\n    waivers: {}\n"])
def test_a_gate_in_braces_gets_them_in_its_braces(before: str) -> None:
    edited = waive("base.yaml", (HEAD + before).encode(), [ONE, TWO])
    assert edited.count(b"\n") == (HEAD + before).count("\n")
    assert set(gate_of(edited).waivers) == {"CVE-2026-1", "CVE-2026-2"}


def test_a_waiver_that_is_there_is_changed_in_its_place_and_comments_stay() -> None:
    text = HEAD + (
        "  gate:\n    waivers: # looked at each quarter\n"
        "      CVE-2026-2: {owner: ana, reason: old, until: 2026-01-01, packages: [other]} # see the tracker\n"
        "      CVE-2026-9:\n        owner: ana # for now\n        reason: old\n        until: 2026-01-01\n"
    )
    edited = waive("base.yaml", text.encode(), [TWO, Entry("CVE-2026-9", "ana", "still not reachable", date(2027, 1, 1))]).decode()
    assert "waivers: # looked at each quarter\n      CVE-2026-2: {owner: ben," in edited
    assert "} # see the tracker\n" in edited
    assert '        owner: ana # for now\n        reason: "still not reachable"\n        until: 2027-01-01\n' in edited
    found = allowances("base", gate_of(edited.encode()))
    assert [(one.owner, one.until, one.packages, one.while_unfixed) for one in found] == [
        ("ben", date(2026, 12, 1), ("zlib", "zlib-ng"), True),
        ("ana", date(2027, 1, 1), (), False),
    ]
    assert waive("base.yaml", edited.encode(), [TWO]).decode() == edited, "again changes nothing"


def test_nothing_to_waive_changes_nothing() -> None:
    assert waive("base.yaml", HEAD.encode(), []) == HEAD.encode()


@pytest.mark.parametrize("text", ["spec: [", "spec: text\n", HEAD + "  gate: none\n"])
def test_a_spec_that_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(NotEdited):
        waive("base.yaml", text.encode(), [ONE])


ZLIB = Package("zlib1g", "1:1.2.13", "zlib", "pkg:deb/debian/zlib1g@1.2.13", "sha256:base")
FOUND = (
    Vulnerability("CVE-2023-45853", "CRITICAL", ZLIB),
    Vulnerability(
        "CVE-2023-45853", "CRITICAL", Package("zlib1g-dev", "1:1.2.13", "zlib", "pkg:deb/debian/zlib1g-dev@1.2.13", "sha256:base")
    ),
    Vulnerability("CVE-2023-31484", "HIGH", Package("perl-base", "5.36", "perl", layer="sha256:base")),
    Vulnerability("CVE-2026-7", "HIGH", Package("requests", "2.19", layer="sha256:web")),
    Vulnerability("CVE-2026-8", "HIGH", Package("requests", "2.19", layer="sha256:web"), "2.20"),
    Vulnerability("CVE-2026-9", "LOW", ZLIB),
)


def verdict(found: Iterable[Vulnerability] = FOUND, base: Gate | None = None, web: Gate | None = None, day: date = TODAY) -> Verdict:
    report = Report(
        tuple(sorted(one.package for one in found)), tuple(sorted(found)), "debian 12.13", "trivy 0.76.0", "2026-11-21T00:00:00Z"
    )
    policy = gate(GateDefaults(), [("web", web or Gate()), ("base", base or Gate())])
    return judge(report, policy, Subject("web", {"sha256:base": "base", "sha256:web": "web"}), day)


def test_a_baseline_is_for_what_fails_and_has_no_fix_in_the_spec_of_who_brought_it() -> None:
    made = baseline([verdict()], (), "ana", "no fix in Debian 12", UNTIL, TODAY)
    assert {image: [(one.id, one.packages) for one in entries] for image, entries in made.entries.items()} == {
        "base": [("CVE-2023-31484", ("perl",)), ("CVE-2023-45853", ("zlib",))],
        "web": [("CVE-2026-7", ("requests",))],
    }
    assert all(one.while_unfixed and one.until == UNTIL for entries in made.entries.values() for one in entries)
    assert made.left == ()


def test_what_a_baseline_wrote_passes_in_the_image_and_in_its_children_until_there_is_a_fix() -> None:
    made = baseline([verdict()], (), "ana", "no fix", UNTIL, TODAY)
    gates = {image: gate_of(waive("x.yaml", HEAD.encode(), entries)) for image, entries in made.entries.items()}
    judged = verdict(base=gates["base"], web=gates["web"])
    assert [one.vulnerability.id for one in judged.failing] == ["CVE-2026-8"], "only what has a fix"
    fixed = [Vulnerability(one.id, one.level, one.package, "9") for one in FOUND]
    assert len(verdict(fixed, gates["base"], gates["web"]).failing) == 5
    assert len(verdict(base=gates["base"], web=gates["web"], day=UNTIL + timedelta(days=1)).failing) == 5


def test_a_baseline_is_renewed_and_grows() -> None:
    old = Gate.model_validate(
        {"waivers": {"CVE-2023-45853": {"owner": "a", "reason": "r", "until": "2026-11-01", "packages": ["other"], "while": "unfixed"}}}
    )
    made = baseline([verdict(base=old)], allowances("base", old), "ana", "no fix", UNTIL, TODAY)
    assert [(one.id, one.packages) for one in made.entries["base"]] == [
        ("CVE-2023-31484", ("perl",)),
        ("CVE-2023-45853", ("other", "zlib")),
    ]


def test_a_waiver_that_somebody_decided_on_is_not_renewed_by_a_baseline() -> None:
    old = Gate.model_validate({"waivers": {"CVE-2023-45853": {"owner": "ben", "reason": "r", "until": "2026-11-01"}}})
    made = baseline([verdict(base=old)], allowances("base", old), "ana", "no fix", UNTIL, TODAY)
    assert [one.id for one in made.entries["base"]] == ["CVE-2023-31484"]
    assert made.left == ("CVE-2023-45853 in base has a waiver of ben until 2026-11-01 that does not cover it: decide again",)


def test_a_baseline_of_more_than_90_days_is_refused() -> None:
    with pytest.raises(TooLong, match="until 2027-02-19"):
        baseline([verdict()], (), "ana", "no fix", UNTIL + timedelta(days=1), TODAY)


def test_a_baseline_leaves_names_that_no_spec_may_have_to_a_person() -> None:
    odd = Vulnerability("CVE-2026-1", "HIGH", Package("a\x1b[31m b", "1", layer="sha256:web"))
    made = baseline([verdict([odd])], (), "ana", "no fix", UNTIL, TODAY)
    assert made.entries == {}
    assert made.left == ("CVE-2026-1 in a\\x1b[31m b of web: a waiver cannot name it",)
