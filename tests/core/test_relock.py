"""A lock's text with one change made: in its one canonical form, or left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.locking import KEPT, adopt, read_lock, write_lock
from reconciler.core.relock import NotLocked, NotRelocked, forget_bases, make_current, mark_bad, note_base, relock, remove_image
from reconciler.model.findings import errors
from reconciler.model.lock import Lock, ResolvedBase
from tests.core.locks import build, changed, changes, digest, locked, locks

A, B, C = build("a", 1), build("b", 2), build("c", 3)
PYTHON = "docker.io/library/python:3.11-slim"
TODAY = date(2026, 11, 21)


def lines(data: bytes) -> list[str]:
    return data.decode().splitlines()[1:]


def test_a_first_build_makes_a_lock():
    data = relock("fleet.lock", None, lambda lock: adopt(lock, "web", A))
    assert lines(data) == [
        "lockVersion: 1",
        "images:",
        "  web:",
        f'    current: "{A.digest}"',
        "    builds:",
        f'      "{A.digest}": {{tag: t-a, key: "{A.key}", built: 2026-11-01, verdict: "{A.verdict}", sbom: "{A.sbom}"}}',
    ]


def test_a_build_is_one_line_more_and_another_current():
    before = lines(write_lock(locked(A)))
    after = lines(relock("fleet.lock", write_lock(locked(A)), lambda lock: adopt(lock, "web", B)))
    assert len(after) == len(before) + 1
    assert [line for line in before if line not in after] == [f'    current: "{A.digest}"']
    assert next(line for line in after if line not in before) == f'    current: "{B.digest}"'


@given(locks, st.lists(changes, max_size=3))
@settings(max_examples=100)
def test_whatever_is_changed_the_text_is_canonical(lock, some):
    data = relock("fleet.lock", write_lock(lock), lambda before: changed(before, some))
    back, findings = read_lock("fleet.lock", data)
    assert not errors(findings)
    assert back == changed(lock, some)
    assert data == write_lock(back)


def test_what_changes_nothing_leaves_the_text_byte_for_byte():
    odd = b"# ours\n" + write_lock(locked(A)).replace(b"images:", b"images: # all of them")
    assert relock("fleet.lock", odd, lambda lock: lock) == odd
    assert relock("fleet.lock", odd, lambda lock: adopt(lock, "web", A)) == odd


def test_a_text_with_an_error_is_not_touched():
    text = write_lock(locked(A)) + b"more: fields\n"
    with pytest.raises(NotRelocked, match=r"fleet\.lock:8:1: there is no field `more` here"):
        relock("fleet.lock", text, lambda lock: adopt(lock, "web", B))


def test_one_wrong_image_keeps_the_others_from_being_written_too():
    text = write_lock(locked(A)) + b"  api: {current: latest, builds: {}}\n"
    with pytest.raises(NotRelocked):
        relock("fleet.lock", text, lambda lock: adopt(lock, "web", B))


def test_a_change_that_makes_no_good_lock_is_not_written():
    with pytest.raises(NotRelocked, match="not a digest"):
        relock("fleet.lock", None, lambda lock: adopt(lock, "web", build("x", verdict="latest")))


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "=======", ">>>>>>> main", "||||||| 9f3c2ab"])
def test_marks_of_a_conflict_are_named_with_their_line(mark):
    text = write_lock(locked(A)).decode() + mark + "\n"
    lock, (finding,) = read_lock("fleet.lock", text.encode())
    assert lock.is_broken
    assert (finding.code, finding.place.line, finding.place.column) == ("LCK008", 8, 1)
    assert mark[:7] in finding.message
    assert read_lock("fleet.lock", text.replace("\n", "\r\n").encode())[1][0].code == "LCK008"


def test_prev_is_the_newest_other_build_that_is_not_bad():
    lock = locked(A, B, C)
    assert lock.images["web"].previous == B
    lock = mark_bad(lock, "web", B.digest)
    assert lock.images["web"].previous == A
    assert lock.images["web"].current == C


def test_a_current_build_can_be_marked_bad_and_another_one_made_current():
    lock = mark_bad(locked(A, B), "web", B.digest)
    assert lock.images["web"].current.bad
    lock = make_current(lock, "web", A.digest)
    assert lock.images["web"].current == A
    assert lock.images["web"].previous is None
    assert len(lock.images["web"].builds) == 2


def test_a_mark_of_bad_stays_when_the_same_is_built_again():
    lock = mark_bad(locked(A, B), "web", B.digest)
    assert adopt(lock, "web", replace(B, verdict=digest("newer"))).images["web"].current == replace(B, verdict=digest("newer"), bad=True)


def test_ten_are_kept_and_what_a_hold_names():
    lock = Lock()
    for day in range(1, 25):
        lock = adopt(lock, "web", build(f"n{day}", day), held={"t-n3"})
    assert [one.tag for one in lock.images["web"].builds] == [f"t-n{day}" for day in range(24, 24 - KEPT, -1)] + ["t-n3"]


def test_an_image_is_removed():
    lock = locked(A, image="api", lock=locked(B))
    assert list(remove_image(lock, "web").images) == ["api"]


@pytest.mark.parametrize("change", [lambda lock: mark_bad(lock, "web", C.digest), lambda lock: make_current(lock, "api", A.digest),
                                    lambda lock: remove_image(lock, "api"), lambda lock: mark_bad(lock, "api", A.digest)])  # fmt: skip
def test_what_is_not_in_the_lock_is_not_changed(change):
    with pytest.raises(NotLocked):
        change(locked(A, B))


# Bases: what an external reference meant.


def test_a_base_is_one_line_before_the_images():
    data = write_lock(note_base(locked(A), PYTHON, digest("python"), TODAY))
    assert lines(data)[:4] == [
        "lockVersion: 1",
        "bases:",
        f'  "{PYTHON}": {{digest: "{digest("python")}", resolved: 2026-11-21}}',
        "images:",
    ]
    lock, findings = read_lock("fleet.lock", data)
    assert findings == ()
    assert lock.bases == {PYTHON: ResolvedBase(digest("python"), TODAY)}


def test_a_base_that_did_not_move_keeps_its_day():
    lock = note_base(Lock(), PYTHON, digest("python"), TODAY)
    assert note_base(lock, PYTHON, digest("python"), date(2026, 12, 24)) == lock
    assert note_base(lock, PYTHON, digest("newer"), date(2026, 12, 24)).bases[PYTHON] == ResolvedBase(digest("newer"), date(2026, 12, 24))


def test_bases_live_through_a_build_and_go_when_nothing_starts_from_them():
    lock = adopt(note_base(locked(A), PYTHON, digest("python"), TODAY), "web", B)
    assert list(lock.bases) == [PYTHON]
    assert list(remove_image(lock, "web").bases) == [PYTHON]
    assert forget_bases(lock, ["redis"]).bases == {}
    assert forget_bases(lock, [PYTHON]) == lock


@pytest.mark.parametrize(
    ("base", "code", "at"),
    [
        (f'"{PYTHON}": {{digest: latest, resolved: 2026-11-21}}', "LCK002", (3, 50)),
        (f'"{PYTHON}": {{digest: "{digest("x")}", resolved: yesterday}}', "SPC004", (3, None)),
        (f'"{PYTHON}": {{digest: "{digest("x")}"}}', "SPC002", (3, None)),
        (f'"{PYTHON}": {{digest: "{digest("x")}", resolved: 2026-11-21, by: ana}}', "SPC001", (3, None)),
        (f'"{PYTHON}": "{digest("x")}"', "SPC003", (3, None)),
        (f'"a b": {{digest: "{digest("x")}", resolved: 2026-11-21}}', "SPC004", (3, 3)),
    ],
)
def test_what_is_wrong_with_a_base_has_a_place(base, code, at):
    text = f"lockVersion: 1\nbases:\n  {base}\nimages: {{}}\n"
    lock, findings = read_lock("fleet.lock", text.encode())
    assert [finding.code for finding in findings] == [code]
    assert findings[0].place.line == at[0]
    assert at[1] in (None, findings[0].place.column)
    assert lock.bases == {}


def test_a_wrong_base_hides_no_image():
    text = write_lock(locked(A)).replace(b"images:", b"bases: {x: {digest: latest, resolved: 2026-11-21}}\nimages:")
    lock, findings = read_lock("fleet.lock", text)
    assert errors(findings)
    assert lock.images == locked(A).images
