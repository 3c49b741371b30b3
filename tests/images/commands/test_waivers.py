"""`fleet images waive` and `fleet images baseline`: what they write, where, and what comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.shell.equipment import now
from tests.engines.trivy_db import debian, python
from tests.images.commands.hut import Hut

OPENSSL = debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1")
REQUESTS = python("CVE-2099-0002", "requests", "HIGH")
ZLIB = debian("CVE-2099-0003", "zlib", "CRITICAL")
SOON = (now().date() + timedelta(days=20)).isoformat()
LATE = (now().date() + timedelta(days=120)).isoformat()
WHY = ("--reason", "not reachable", "--owner", "ana", "--until", SOON)


def spec(hut: Hut, name: str) -> str:
    return (hut.root / f"specs/images/{name}.yaml").read_text()


def test_a_waiver_goes_to_the_spec_of_who_brought_it_and_whoever_starts_from_it_passes(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(OPENSSL)
    done = hut.fleet("images", "waive", "app", "CVE-2099-0001", *WHY)
    assert done.code == 0, done
    line = f'      CVE-2099-0001: {{owner: ana, reason: "not reachable", until: {SOON}}}\n'
    assert spec(hut, "system").endswith(f"  gate:\n    waivers:\n{line}")
    assert "gate" not in spec(hut, "app")
    assert hut.fleet("images", "rescan").code == 0
    assert hut.git("status", "--porcelain") == " M specs/images/system.yaml\n?? fleet.lock\n"


def test_an_edit_is_a_commit_where_that_is_asked_for_and_git_says_who_answers(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(OPENSSL)
    hut.git("config", "user.name", "ana")
    hut.git("config", "user.email", "ana@fleet.example")
    done = hut.fleet("images", "waive", "app", "CVE-2099-0001", "--reason", "x", "--until", SOON, "--package", "openssl", "--commit")
    assert done.code == 0, done
    assert hut.git("log", "-1", "--format=%s%n%an", "--name-only").split() == [
        "waive",
        "CVE-2099-0001",
        "in",
        "system",
        "ana",
        "specs/images/system.yaml",
    ]
    assert "owner: ana" in spec(hut, "system")
    assert "packages: [openssl]" in spec(hut, "system")


BAD = {
    "a vulnerability that it has not": (["app", "CVE-2099-0009", *WHY], 1, "has no CVE-2099-0009"),
    "a package that has it not": (["app", "CVE-2099-0001", *WHY, "--package", "zlib"], 1, "it is in libssl3, openssl"),
    "an image that is not": (["ap", "CVE-2099-0001", *WHY], 2, "there is no image ap"),
    "a day that is none": (["app", "CVE-2099-0001", "--reason", "x", "--until", "soon"], 2, "not a date"),
    "a day that is over": (["app", "CVE-2099-0001", "--reason", "x", "--until", "2020-01-01"], 2, "is over"),
    "too long while unfixed": (["app", "CVE-2099-0001", "--reason", "x", "--until", LATE, "--while-unfixed"], 2, "90 days at most"),
    "an id that is none": (["app", "no id", *WHY, "--here"], 1, "specs/images/app.yaml"),
    "no reason": (["app", "CVE-2099-0001", "--until", SOON], 2, "--reason"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(name: str, hut: Hut) -> None:
    arguments, code, sentence = BAD[name]
    if code == 1:
        hut.build()
    hut.vulnerable(OPENSSL)
    done = hut.fleet("images", "waive", *arguments)
    assert done.code == code, done
    assert sentence in done.err
    assert "specs" not in hut.git("status", "--porcelain")


def test_a_baseline_waives_what_has_no_fix_where_it_came_from_and_leaves_what_has_one(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(OPENSSL, REQUESTS, ZLIB)
    done = hut.fleet("images", "baseline", "--owner", "ana", "--reason", "day one")
    assert done.code == 1, "what has a fix still fails"
    last = (now().date() + timedelta(days=90)).isoformat()
    assert done.out.splitlines() == [
        f"app: 1 waived until {last}, while there is no fix",
        f"system: 1 waived until {last}, while there is no fix",
        "system: CVE-2099-0001 has a fix: openssl 3.0.13-1",
    ]
    assert f'CVE-2099-0003: {{owner: ana, reason: "day one", until: {last}, packages: [zlib], while: unfixed}}' in spec(hut, "system")
    assert f'CVE-2099-0002: {{owner: ana, reason: "day one", until: {last}, packages: [requests], while: unfixed}}' in spec(hut, "app")
    hut.vulnerable(REQUESTS, ZLIB)
    assert hut.fleet("images", "rescan").code == 0
    assert hut.fleet("images", "baseline").out == "nothing fails\n"
    hut.vulnerable(debian(ZLIB.id, "zlib", "CRITICAL", "1:1.3-1"))
    assert "was for as long as there is no fix" in hut.fleet("images", "rescan").out


def test_day_one_is_green_after_a_baseline_without_building_again(hut: Hut) -> None:
    hut.vulnerable(ZLIB)
    failed = hut.build(code=1)
    assert {name: one["outcome"] for name, one in failed.items()} == {"system": "gate failed", "app": "skipped"}
    done = hut.fleet("images", "baseline", "--owner", "ana")
    assert (done.code, "not built yet, so not judged: app" in done.err) == (0, True), done
    built = hut.build()
    assert {name: one["outcome"] for name, one in built.items()} == {"system": "from cache", "app": "built"}
    assert hut.builder.built.count("system") == 1


def test_a_baseline_cannot_reach_further_than_90_days(hut: Hut) -> None:
    hut.build()
    done = hut.fleet("images", "baseline", "--until", LATE)
    assert (done.code, "90 days at most" in done.err) == (2, True)
