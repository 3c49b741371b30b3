"""Two locks that came from one become one: nothing that was built is lost, and what cannot be decided is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given, settings

from reconciler.core.lock_driver import drive
from reconciler.core.locking import read_lock, write_lock
from reconciler.core.merging import merge
from reconciler.core.relock import make_current, mark_bad, note_base, remove_image
from reconciler.model.findings import errors
from reconciler.model.lock import Lock
from tests.core.locks import build, digest, locked, locks, threes

A, B, C, D = build("a", 1), build("b", 2), build("c", 3), build("d", 4)
BASE = locked(A, B)


def tags(lock: Lock, image: str = "web") -> list[str]:
    return [one.tag for one in lock.images[image].builds]


@given(threes)
@settings(max_examples=300)
def test_it_does_not_matter_which_side_is_ours(three):
    base, ours, theirs = three
    assert merge(base, ours, theirs) == merge(base, theirs, ours)


@given(locks, locks)
def test_what_only_one_side_changed_is_as_that_side_has_it(base, other):
    assert merge(base, base, other) == merge(base, other, base) == merge(base, other, other) == (other, ())


@given(threes)
@settings(max_examples=300)
def test_no_build_is_lost(three):
    base, ours, theirs = three
    merged = merge(base, ours, theirs).lock
    for side, other in ((ours, theirs), (theirs, ours)):
        for image, builds in side.images.items():
            known = {one.digest for one in base.images[image].builds} if image in base.images else set()
            elsewhere = {one.digest for one in other.images[image].builds} if image in other.images else set()
            kept = {one.digest for one in merged.images[image].builds} if image in merged.images else set()
            assert {one.digest for one in builds.builds if one.digest not in known or one.digest in elsewhere} <= kept


@given(threes)
@settings(max_examples=300)
def test_without_a_conflict_the_merged_lock_is_a_good_one(three):
    merged, conflicts = merge(*three)
    back, findings = read_lock("fleet.lock", write_lock(merged))
    if not conflicts:
        assert not errors(findings)
        assert back == merged
    for builds in merged.images.values():
        assert builds.current in builds.builds
        assert len({one.digest for one in builds.builds}) == len(builds.builds)
        assert [one.built for one in builds.builds] == sorted((one.built for one in builds.builds), reverse=True)


@given(threes)
@settings(max_examples=300)
def test_merging_a_side_again_changes_nothing(three):
    base, ours, theirs = three
    merged, conflicts = merge(base, ours, theirs)
    if not conflicts:
        assert merge(base, merged, theirs) == (merged, ())
        assert merge(theirs, merged, theirs) == (merged, ())


@given(threes)
@settings(max_examples=300)
def test_what_one_side_marks_bad_is_bad_and_what_one_side_takes_back_is_not(three):
    base, ours, theirs = three
    for image, builds in merge(base, ours, theirs).lock.images.items():
        for one in builds.builds:
            was, *marks = (
                {same.digest: same.bad for same in lock.images[image].builds}.get(one.digest) if image in lock.images else None
                for lock in three
            )
            told = [mark for mark in marks if mark is not None]
            assert one.bad is (all(told) if was else any(told))


def test_builds_of_both_sides_stand_and_the_later_one_is_current():
    merged, conflicts = merge(BASE, locked(C, lock=BASE), locked(D, lock=BASE))
    assert conflicts == ()
    assert tags(merged) == ["t-d", "t-c", "t-b", "t-a"]
    assert merged.images["web"].current == D
    assert merged.images["web"].previous == C


def test_changes_of_different_images_do_not_meet():
    merged, conflicts = merge(BASE, locked(C, lock=BASE), locked(A, image="api", lock=BASE))
    assert conflicts == ()
    assert (tags(merged), tags(merged, "api")) == (["t-c", "t-b", "t-a"], ["t-a"])


def test_two_builds_of_one_day_are_a_conflict_that_names_both():
    merged, conflicts = merge(BASE, locked(C, lock=BASE), locked(build("x", 3), lock=BASE))
    assert [str(one.message) for one in conflicts] == ["t-c and t-x are both of 2026-11-03; t-x is taken"]
    assert conflicts[0].where == "images.web.current"
    assert set(tags(merged)) == {"t-x", "t-c", "t-b", "t-a"}


def test_a_rollback_on_one_side_meets_a_build_on_the_other():
    back = make_current(BASE, "web", A.digest)
    merged, conflicts = merge(BASE, back, locked(C, lock=BASE))
    assert conflicts == ()
    assert merged.images["web"].current == C


def test_a_build_that_the_other_side_marked_bad_does_not_become_current_unsaid():
    base = locked(C, A, B)
    back = make_current(base, "web", C.digest)
    merged, conflicts = merge(base, back, mark_bad(base, "web", C.digest))
    assert [one.message for one in conflicts] == ["one side marked t-c bad, which is current"]
    assert merged.images["web"].current.bad


def test_of_two_new_ones_the_one_that_is_not_bad_is_current():
    bad = mark_bad(locked(D, lock=BASE), "web", D.digest)
    merged, conflicts = merge(BASE, bad, locked(C, lock=BASE))
    assert conflicts == ()
    assert merged.images["web"].current == C
    assert merged.images["web"].previous == B


def test_builds_of_one_day_keep_the_order_that_each_side_gave_them():
    first, second = build("zz", 3), build("aa", 3)
    ours = locked(first, second, lock=BASE)
    assert tags(ours)[:2] == ["t-aa", "t-zz"]
    merged, _ = merge(BASE, ours, locked(build("mm", 3), lock=BASE))
    assert [tag for tag in tags(merged) if tag in ("t-aa", "t-zz")] == ["t-aa", "t-zz"]


def test_one_tag_for_two_builds_is_a_conflict_and_neither_is_lost():
    merged, conflicts = merge(BASE, locked(C, lock=BASE), locked(replace(D, tag=C.tag), lock=BASE))
    assert [one.where for one in conflicts] == ["images.web.builds"]
    assert {one.digest for one in merged.images["web"].builds} >= {C.digest, D.digest}


def test_a_removed_image_stays_removed_unless_somebody_built_it():
    gone = remove_image(BASE, "web")
    assert merge(BASE, gone, BASE).lock.images == {}
    merged, conflicts = merge(BASE, gone, locked(C, lock=BASE))
    assert tags(merged) == ["t-c", "t-b", "t-a"]
    assert [one.where for one in conflicts] == ["images.web"]


def test_another_verdict_of_one_build_on_each_side_is_a_conflict():
    one, other = (locked(replace(B, verdict=digest(word)), lock=BASE) for word in ("one", "other"))
    merged, conflicts = merge(BASE, one, other)
    assert [conflict.where for conflict in conflicts] == [f"images.web.builds.{B.digest}.verdict"]
    assert merge(BASE, one, BASE) == (one, ())
    assert merged.images["web"].current.verdict == max(digest("one"), digest("other"))


def test_of_a_base_the_later_look_counts():
    early, late = (note_base(BASE, "docker.io/python:1", digest(word), date(2026, 11, day)) for word, day in (("x", 5), ("y", 6)))
    assert merge(BASE, early, late) == (late, ())
    same_day = note_base(BASE, "docker.io/python:1", digest("z"), date(2026, 11, 6))
    merged, conflicts = merge(BASE, late, same_day)
    assert [one.where for one in conflicts] == ["bases.docker.io/python:1"]
    assert merged.bases["docker.io/python:1"].digest == max(digest("y"), digest("z"))


# Texts, as git hands them to a driver.


def text(lock: Lock) -> bytes:
    return write_lock(lock)


def test_git_goes_on_with_the_lock_of_both():
    driven = drive("fleet.lock", text(BASE), text(locked(C, lock=BASE)), text(locked(A, image="api", lock=BASE)))
    assert driven == (text(locked(A, image="api", lock=locked(C, lock=BASE))), ())


def test_a_lock_that_both_sides_added_is_merged_from_nothing():
    driven = drive("fleet.lock", b"", text(locked(A)), text(locked(A, image="api")))
    assert driven == (text(locked(A, image="api", lock=locked(A))), ())


def test_a_side_that_did_not_change_leaves_the_other_byte_for_byte():
    odd = text(locked(C, lock=BASE)) + b"# by hand\n"
    assert drive("fleet.lock", text(BASE), odd, text(BASE)) == (odd, ())
    assert drive("fleet.lock", text(BASE), text(BASE), odd) == (odd, ())
    assert drive("fleet.lock", text(BASE), odd, odd) == (odd, ())


def test_a_conflict_is_told_to_git_and_the_file_is_a_lock_all_the_same():
    driven = drive("fleet.lock", text(BASE), text(locked(C, lock=BASE)), text(locked(build("x", 3), lock=BASE)))
    assert driven.conflicts == ("images.web.current: t-c and t-x are both of 2026-11-03; t-x is taken",)
    assert not errors(read_lock("fleet.lock", driven.data)[1])


@pytest.mark.parametrize("broken", [b"- no lock\n", b"images: [\n", b"", b"lockVersion: 1\nimages: {web: {}}\n", b"\xff\xfe\x00"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_side_that_cannot_be_read_is_not_merged_and_both_stay_in_the_file(broken, ours):
    good = text(locked(C, lock=BASE))
    driven = drive("fleet.lock", text(BASE), *((broken, good) if ours else (good, broken)))
    assert driven.conflicts
    assert all(("ours" if ours else "theirs") in one and "fleet.lock:" in one for one in driven.conflicts)
    assert broken.rstrip(b"\n") in driven.data
    assert good.rstrip(b"\n") in driven.data
    (finding,) = read_lock("fleet.lock", driven.data)[1]
    assert (finding.code, finding.place.line) == ("LCK008", 1)


def test_a_broken_ancestor_loses_nothing():
    one, other = text(locked(C, lock=BASE)), text(locked(D, lock=BASE))
    driven = drive("fleet.lock", b"- no lock\n", one, other)
    assert driven.conflicts == ()
    assert tags(read_lock("fleet.lock", driven.data)[0]) == ["t-d", "t-c", "t-b", "t-a"]


@given(threes)
@example((Lock(), Lock(), Lock()))
@settings(max_examples=60)
def test_texts_merge_as_their_locks_do(three):
    base, ours, theirs = three
    driven = drive("fleet.lock", *map(text, three))
    merged, conflicts = merge(base, ours, theirs)
    assert driven.data == text(merged)
    assert len(driven.conflicts) == len(conflicts)
