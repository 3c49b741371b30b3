from dataclasses import replace
from datetime import date
from hashlib import sha256

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.locking import BROKEN, TagTaken, adopt, read_lock, write_lock
from reconciler.model.findings import errors
from reconciler.model.lock import Build, Builds, Lock


def digest(of: str) -> str:
    return "sha256:" + sha256(of.encode()).hexdigest()


A, B, C = digest("a"), digest("b"), digest("c")

GOOD = f"""\
lockVersion: 1
images:
  family-web:
    current: "{A}"
    builds:
      "{A}": {{tag: 20261121-9f3c2ab, key: "k1", built: 2026-11-21, verdict: "{B}", sbom: "{C}"}}
      "{B}": {{tag: 20261118-4be1d07, built: 2026-11-18, bad: true}}
      "{C}": {{tag: 20261101-0000001, built: 2026-11-01}}
"""


def read(text: str) -> tuple[Lock, list[tuple[str, int, int]]]:
    lock, findings = read_lock("fleet.lock", text.encode())
    return lock, [(finding.code, finding.place.line, finding.place.column) for finding in findings]


def test_a_lock_is_read():
    lock, found = read(GOOD)
    assert found == []
    builds = lock.builds("family-web")
    assert builds.current == Build(A, "20261121-9f3c2ab", "k1", date(2026, 11, 21), B, C)
    assert builds.previous.digest == C
    assert builds.tagged("20261118-4be1d07").bad
    assert lock.builds("other") is None


def test_an_empty_lock_has_no_images():
    for text in ("lockVersion: 1\n", "lockVersion: 1\nimages: {}\n"):
        assert read(text) == (Lock(), [])


@pytest.mark.parametrize(
    ("old", "new", "code", "at"),
    [
        ("lockVersion: 1", "lockVersion: 2", "LCK001", (1, 14)),
        ("lockVersion: 1", "lockVersion: true", "LCK001", (1, 14)),
        ("lockVersion: 1", 'lockVersion: "1"', "LCK001", (1, 14)),
        (f'current: "{A}"', 'current: "sha256:aaaa…"', "LCK002", (4, 14)),
        (f'current: "{A}"', f'current: "sha256:{"0" * 64}"', "LCK002", (4, 14)),
        (f'current: "{A}"', "current: latest", "LCK002", (4, 14)),
        (f'verdict: "{B}"', 'verdict: "sha256:…"', "LCK002", (6, 145)),
        (f'sbom: "{C}"', "sbom: TODO", "LCK002", (6, 226)),
        (f'      "{C}": ', f'      "{C[:-1]}": ', "LCK002", (8, 7)),
        (f'      "{C}": ', f'      "{C.upper()}": ', "LCK002", (8, 7)),
        (f'current: "{A}"', f'current: "{digest("elsewhere")}"', "LCK003", (4, 14)),
        ("20261118-4be1d07", "20261121-9f3c2ab", "LCK004", (7, 88)),
        ("built: 2026-11-01", "built: 2026-11-20", "LCK006", (8, 7)),
        (f'current: "{A}"', f'current: "{B}"', "LCK005", (4, 14)),
    ],
)
def test_what_is_wrong_has_a_code_and_a_place(old, new, code, at):
    assert old in GOOD
    assert (code, *at) in read(GOOD.replace(old, new))[1]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("sbom:", "sbon:", 6),
        ("built: 2026-11-21", "built: yesterday", 6),
        ("tag: 20261121-9f3c2ab", "tag: 'not a tag'", 6),
        ("bad: true", "bad: 1", 7),
        ("images:\n", "image:\n", 2),
        ("family-web:", "Family_Web:", 3),
        ("current:", "curent:", 4),
        ("lockVersion: 1\n", "", 1),
        ("lockVersion: 1\n", "lockVersion: 1\nextra: 1\n", 2),
        ("    builds:", "    builds: {}\n    other:", 5),
    ],
)
def test_the_shape_is_strict(old, new, line):
    assert old in GOOD
    _, findings = read_lock("fleet.lock", GOOD.replace(old, new, 1).encode())
    assert errors(findings)
    assert line in [finding.place.line for finding in findings]


@pytest.mark.parametrize("text", ["", "- a\n", "text\n", "null\n", "images: [\n", "a: &x 1\nb: *x\n", "a: 1\na: 2\n", "\0", "{" * 30_000])
def test_what_is_no_lock_is_a_finding(text):
    lock, findings = read_lock("fleet.lock", text.encode())
    assert lock == BROKEN
    assert lock.is_unsure("family-web")
    assert errors(findings)
    assert all(finding.place.path == "fleet.lock" for finding in findings)


def test_one_wrong_image_does_not_hide_the_others():
    text = GOOD + f'  other:\n    current: "{B}"\n    builds: {{"{A}": {{tag: x, built: 2026-11-21}}}}\n  third: nothing\n'
    lock, findings = read_lock("fleet.lock", text.encode())
    assert list(lock.images) == ["family-web"]
    assert [name for name in ("family-web", "other", "third", "fourth") if lock.is_unsure(name)] == ["other", "third"]
    assert {finding.place.line for finding in errors(findings)} == {10, 12}


def test_builds_are_newest_first_whatever_their_order():
    lines = GOOD.splitlines(keepends=True)
    assert read("".join([*lines[:5], lines[7], lines[6], lines[5]]))[0] == read(GOOD)[0]


def test_a_lock_of_a_thousand_images_is_read():
    lock = Lock()
    for image in range(1000):
        builds = tuple(Build(digest(f"{image}/{build}"), f"t{build}", digest("k"), date(2026, 11, 21), A, B) for build in range(10))
        lock.images[f"image-{image:04}"] = Builds(builds[0], builds)
    data = write_lock(lock)
    assert len(data) > 3 << 20
    assert read_lock("fleet.lock", data) == (lock, ())


def test_a_build_is_one_line():
    text = write_lock(read(GOOD)[0]).decode()
    body = text.split("\n", 1)[1]
    assert body == GOOD
    assert text.startswith("# ")


builds = st.builds(
    Build,
    digest=st.integers(0, 30).map(lambda number: digest(str(number))),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True) | st.sampled_from(["1e5", "null", "0x1F", "2026-11-21", "no", "017"]),
    key=st.sampled_from(["", "k", "12", digest("k")]),
    built=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    verdict=st.sampled_from(["", A]),
    sbom=st.sampled_from(["", B]),
    bad=st.booleans(),
)  # fmt: skip


def newest_first(some: list[Build]) -> tuple[Build, ...]:
    return tuple(sorted(some, key=lambda build: build.built, reverse=True))


images = (
    st.lists(builds, min_size=1, max_size=12, unique_by=(lambda build: build.digest, lambda build: build.tag))
    .map(newest_first)
    .flatmap(lambda some: st.sampled_from(some).map(lambda current: Builds(current, some)))
)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
locks = st.dictionaries(names, images, max_size=4).map(Lock)


@given(locks)
@settings(max_examples=40)
def test_what_is_written_is_read_again(lock):
    data = write_lock(lock)
    back, findings = read_lock("fleet.lock", data)
    assert not errors(findings)
    assert back == lock
    assert write_lock(Lock(dict(reversed(back.images.items())))) == data


@given(locks)
@settings(max_examples=40)
def test_what_is_written_means_the_same_to_an_ordinary_reader(lock):
    value = yaml.load(write_lock(lock), Loader=yaml.CSafeLoader)
    assert {name: list(image["builds"]) for name, image in value["images"].items()} == {
        name: [build.digest for build in image.builds] for name, image in lock.images.items()
    }
    assert all(isinstance(build["tag"], str) for image in value["images"].values() for build in image["builds"].values())


def build(number: int, **fields) -> Build:
    return replace(Build(digest(str(number)), f"t{number:03}", f"k{number}", date.fromordinal(738_000 + number)), **fields)


def test_an_adopted_build_is_current_and_the_one_before_is_prev():
    lock = adopt(adopt(Lock(), "web", build(1)), "web", build(2))
    assert lock.images["web"] == Builds(build(2), (build(2), build(1)))
    assert lock.images["web"].previous == build(1)
    assert adopt(lock, "api", build(1)).images["web"] == lock.images["web"]


def test_adopting_a_build_again_changes_its_entry_only():
    lock = adopt(adopt(adopt(Lock(), "web", build(1)), "web", build(2)), "web", build(1, verdict=A))
    assert lock.images["web"] == Builds(build(1, verdict=A), (build(2), build(1, verdict=A)))


def test_ten_builds_are_kept_and_what_is_held_and_a_good_prev():
    lock = adopt(Lock(), "web", build(0))
    lock = adopt(lock, "web", build(1))
    for number in range(2, 30):
        lock = adopt(lock, "web", build(number, bad=number < 29), held={"t000"})
    kept = [one.tag for one in lock.images["web"].builds]
    assert kept == [f"t{number:03}" for number in range(29, 19, -1)] + ["t001", "t000"]
    assert lock.images["web"].previous == build(1)


def test_a_tag_never_comes_to_mean_another_build():
    with pytest.raises(TagTaken, match="t001 already names"):
        adopt(adopt(Lock(), "web", build(1)), "web", build(2, tag="t001"))
