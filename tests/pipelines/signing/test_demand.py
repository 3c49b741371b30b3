"""Where the fleet demands signatures, a build that does not verify does not run, and what runs stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import get_args

import pytest

from pipelines.core.demand import Demanded, demand
from pipelines.core.verification import sentence
from pipelines.model.trust import (
    Absent,
    Early,
    Expired,
    OtherDigest,
    Refused,
    Tampered,
    Unattested,
    Unchecked,
    Unsigned,
    VerdictClaim,
    Verification,
    Verified,
    WrongKey,
)
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.graph import Graph, Held, Locked, Missing, Unverified
from reconciler.model.refs import Ref
from reconciler.model.signing import SigningKey, SigningRules
from tests.core.test_signing_keys import KEY
from tests.fleets import Repo, digest, lock, service

S0, S1 = Ref("Service", "s0", "acme"), Ref("Service", "s1", "acme")
CLAIM = VerdictClaim(digest("a"), digest("c"), "trivy 0.76.0", "2026-11-21T06:00:00Z", "p", passed=True, counts={"fails": {"CRITICAL": 2}})
GOOD = Verified("release-2026", CLAIM)
BAD: tuple[Verification, ...] = (
    Absent(), Unsigned(), WrongKey("signature"), Expired("old", date(2026, 1, 1)), Early("new", date(2027, 1, 1)),
    OtherDigest("signature", digest("b")), Tampered("the verdict is not what a trusted key signed"), Unattested("the gate's verdict"),
    Refused(CLAIM), Unchecked("no answer"),
)  # fmt: skip
RULES = SigningRules(keys={"a": SigningKey(public_key=KEY, from_=date(2026, 1, 1), until=date(2026, 12, 31))}, require=True)


def graph(held: str = "", *, require: bool = True, locked: str = lock("a", ("a", "v2"), ("b", "v1"))) -> Graph:
    """Two services of one image; the second may be held."""
    repo = Repo.small(services=2).having("specs/services/acme/s1.yaml", service("s1", extra=held)).having("fleet.lock", locked)
    found = repo.graph()
    return replace(found, environment=replace(found.environment, signing=RULES if require else SigningRules(keys=RULES.keys)))


def codes(found: Demanded) -> list[tuple[str, Ref]]:
    return [(one.code, one.subject) for one in found.findings]


def test_what_verifies_runs():
    found = demand(graph(), {digest("a"): GOOD})
    assert codes(found) == []
    assert all(isinstance(choice, Locked) for choice in found.choices.values())


@pytest.mark.parametrize("result", BAD, ids=lambda one: type(one).__name__)
def test_what_does_not_verify_is_kept_as_it_runs(result):
    before = graph()
    found = demand(before, {digest("a"): result})
    assert codes(found) == [("SGN002", S0), ("SGN002", S1)]
    assert all(one.fix and one.place.line > 1 and not one.is_error for one in found.findings)
    assert all(isinstance(choice, Missing) for choice in found.choices.values())
    after = render(replace(before, choices=found.choices), KINDS)
    assert any(one.body["kind"] == "Deployment" for one in render(before, KINDS))
    assert not any(one.body["kind"] == "Deployment" for one in after)


def test_what_nobody_checked_does_not_run():
    assert codes(demand(graph(), {})) == [("SGN002", S0), ("SGN002", S1)]


def test_nothing_is_demanded_where_the_environment_does_not():
    before = graph(require=False)
    assert demand(before, {}) == Demanded(before.choices, ())


def test_an_unsafe_hold_breaks_the_glass_and_is_told():
    before = graph("  forceImageTag: {tag: v1, reason: prod is down, by: ana, unsafe: true}\n")
    found = demand(before, {digest("a"): GOOD, digest("b"): Unsigned()})
    assert codes(found) == [("SGN003", S1)]
    assert isinstance(found.choices[S1], Held)
    assert found.findings[0].message == "v1 is not signed; the hold lets it run (by ana, prod is down)"
    assert found.findings[0].place.line == 11


def test_an_unsafe_hold_of_a_build_that_verifies_is_nothing_to_tell():
    before = graph("  forceImageTag: {tag: v1, unsafe: true}\n")
    assert codes(demand(before, {digest("a"): GOOD, digest("b"): GOOD})) == []


def test_an_ordinary_hold_breaks_nothing():
    before = graph("  forceImageTag: {tag: v1, reason: slow}\n")
    found = demand(before, {digest("a"): GOOD, digest("b"): Unsigned()})
    assert codes(found) == [("SGN002", S1)]
    assert isinstance(found.choices[S1], Missing)


def test_a_tag_outside_the_lock_runs_under_an_unsafe_hold_only():
    before = graph("  forceImageTag: {tag: v0, unsafe: true}\n")
    assert isinstance(before.choices[S1], Unverified)
    assert codes(demand(before, {digest("a"): GOOD})) == [("SGN003", S1)]
    unlocked = graph(locked="lockVersion: 1\n")
    assert isinstance(unlocked.choices[S0], Unverified)
    assert codes(demand(unlocked, {})) == [("SGN002", S0), ("SGN002", S1)]


def test_every_result_has_a_sentence_and_all_but_the_good_one_a_way_out():
    assert {type(one) for one in (GOOD, *BAD)} == set(get_args(Verification))
    for one in BAD:
        says, fix = sentence(one)
        assert says
        assert fix
    assert sentence(GOOD) == ("is signed by release-2026 and passed trivy 0.76.0 (database of 2026-11-21T06:00:00Z)", "")
    assert "2 CRITICAL" in sentence(Refused(CLAIM))[0]
