"""What people and machines read of a build: a comment, a SARIF file, which machine suits."""

from __future__ import annotations

from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.decide import decide
from pipelines.core.sarif import MOST, verdict_sarif
from pipelines.model.decision import Open, Planned, Unbuildable
from pipelines.model.verdict import Judged, Stance, Verdict
from pipelines.model.vulnerability import Package, Vulnerability
from pipelines.shell.matter import mentions
from pipelines.shell.plan_markdown import LIMIT, marker, plan_markdown
from reconciler.model.lock import Lock
from tests.pipelines.build.hierarchy import BASE, hierarchy, seen

TARGETS = hierarchy()
FILES = {"web": "images/web/Dockerfile", "base": "images/base/Dockerfile"}


def decided(count: int = 1, why: str = "never built") -> list[Planned]:
    return [Planned(TARGETS[0].name, str(TARGETS[0].start), "", Open((why,))) for _ in range(count)]


def test_a_comment_has_each_image_why_and_what_it_starts_from() -> None:
    every = decide(TARGETS, seen(TARGETS), {BASE: f"sha256:{'a' * 64}"}, Lock(), mentions)
    text = plan_markdown([one.planned for one in every], "production")
    assert text.startswith("<!-- fleetwright images production -->\n**Images for `production`**: 5 of 5 to look up or build.\n")
    assert f"| :hammer: | `base` | `never built` | `{BASE}` |" in text
    assert "| :hammer: | `top` | `parent middle rebuilt` | `middle` |" in text


def test_a_comment_about_nothing_says_so() -> None:
    assert plan_markdown([], "x").splitlines()[1] == "**Images for `x`**: all 0 are as the lock has them."


def test_what_cannot_be_built_comes_first() -> None:
    bad = Planned(TARGETS[1].name, str(TARGETS[1].start), "", Unbuildable("images/middle/Dockerfile is not there", "write it"))
    lines = plan_markdown([*decided(), bad], "x").splitlines()
    assert lines[5].startswith("| :x: | `middle` | `images/middle/Dockerfile is not there; write it` |")
    assert "1 that cannot be built as written" in lines[1]


def test_a_comment_of_ten_thousand_images_is_one_that_github_takes() -> None:
    text = plan_markdown(decided(10_000, "context changed: " + "ä" * 500), "x")
    assert len(text.encode()) <= LIMIT
    shown = text.count(":hammer:")
    assert f"And {10_000 - shown} more." in text
    assert shown > 20


@given(st.text(max_size=80))
def test_nothing_that_a_file_is_called_leaves_its_cell(name: str) -> None:
    (row,) = [line for line in plan_markdown(decided(1, f"context changed: {name}"), "x").split("\n") if ":hammer:" in line]
    assert row.count("|") == 5
    assert "<script" not in row
    assert "\x1b" not in row


@pytest.mark.parametrize("environment", ["--> <b>", "a b", "x"])
def test_the_marker_closes_where_it_should(environment: str) -> None:
    assert marker(environment).count("-->") == 1


def judged(id: str, stance: Stance, owner: str = "web", level: str = "HIGH", **more: str) -> Judged:
    return Judged(
        Vulnerability(id, level, Package("openssl", "3.0", layer="x"), **more),
        owner,
        stance,
        "web/" + id if stance is Stance.WAIVED else "",
    )


def sarif(*found: Judged) -> dict[str, object]:
    verdict = Verdict("web", date(2026, 11, 21), "trivy 0.76.0", "", "", found)
    (run,) = orjson.loads(verdict_sarif(verdict, FILES, "1.0", "image-web"))["runs"]
    return run


def test_sarif_has_what_fails_and_warns_and_suppresses_what_is_waived() -> None:
    run = sarif(*(judged(f"CVE-2026-{number}", stance) for number, stance in enumerate(Stance)))
    results = {one["ruleId"]: one for one in run["results"]}  # type: ignore[attr-defined]
    assert {id: (one["level"], "suppressions" in one) for id, one in results.items()} == {
        "CVE-2026-0": ("error", False),
        "CVE-2026-1": ("warning", False),
        "CVE-2026-2": ("note", True),
    }
    rules = run["tool"]["driver"]["rules"]  # type: ignore[index]
    assert all(rules[one["ruleIndex"]]["id"] == id for id, one in results.items())


def test_a_finding_stands_at_the_dockerfile_of_the_image_that_brought_it() -> None:
    run = sarif(judged("CVE-1-1", Stance.FAILS, "base"), judged("CVE-1-2", Stance.FAILS, "unknown"))
    where = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]  # type: ignore[attr-defined]
    assert where == ["images/base/Dockerfile", "images/web/Dockerfile"]


def test_the_same_vulnerability_of_two_packages_is_two_results_with_fingerprints_of_their_own() -> None:
    one = judged("CVE-1-1", Stance.FAILS)
    other = Judged(Vulnerability("CVE-1-1", "HIGH", Package("libssl3", "3.0")), "web", Stance.FAILS)
    run = sarif(one, other)
    prints = {each["partialFingerprints"]["fleetwright/v1"] for each in run["results"]}  # type: ignore[attr-defined]
    assert len(prints) == 2
    assert len(run["tool"]["driver"]["rules"]) == 1  # type: ignore[index]


def test_links_that_are_none_and_titles_that_hide_are_not_passed_on() -> None:
    run = sarif(judged("CVE-1-1", Stance.FAILS, title="bad\x1b[2J\u202etitle", link="javascript:alert(1)"))
    (rule,) = run["tool"]["driver"]["rules"]  # type: ignore[index]
    assert "helpUri" not in rule
    assert "\x1b" not in rule["shortDescription"]["text"]


def test_no_more_than_github_keeps() -> None:
    run = sarif(*(judged(f"CVE-1-{number}", Stance.WARNS) for number in range(MOST + 5)), judged("CVE-2-1", Stance.FAILS))
    assert len(run["results"]) == MOST  # type: ignore[arg-type]
    assert run["results"][0]["ruleId"] == "CVE-2-1"  # type: ignore[index]
