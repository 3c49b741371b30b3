"""What is to be built, and why, from files and lock alone."""

from dataclasses import replace

import pytest

from pipelines.core.decide import decide
from pipelines.core.key import key
from pipelines.core.targets import descendants, lineage, waves
from pipelines.model.decision import Current, Open, Outdated, Unbuildable
from pipelines.shell.matter import mentions
from reconciler.core.trees import EXECUTABLE, FILE, LINK
from reconciler.model.lock import Build, Builds, Lock
from reconciler.ports import Packed
from tests.fleets import TODAY, digest
from tests.pipelines.build.hierarchy import BASE, FILES, SPECS, hierarchy, image, seen

BASES = {BASE: digest("e")}
LETTERS = {"base": "1", "middle": "2", "top": "3", "side": "4", "platform-own": "5"}


def decided(files=FILES, specs=SPECS, bases=BASES, lock=None, was=None):
    targets = hierarchy(specs)
    options = {} if was is None else {"was": was}
    return {
        one.target.name: one for one in decide(targets, seen(targets, files), bases, Lock() if lock is None else lock, mentions, **options)
    }


def locked(files=FILES, specs=SPECS):
    """The lock after everything was built of these files."""
    lock = Lock()
    for name in [target.name for target in hierarchy(specs)]:
        one = decided(files, specs, lock=lock)[name]
        build = Build(digest(LETTERS[name]), "20261121-abcdef1", one.key, TODAY)
        lock = Lock({**lock.images, name: Builds(build, (build,))})
    return lock


def due(**after):
    """Names that are not as locked, after an edit."""
    return {name for name, one in decided(lock=locked(), **after).items() if not isinstance(one.decision, Current)}


def test_parents_come_before_children_and_a_service_may_bring_its_own():
    assert [target.name for target in hierarchy()] == ["base", "middle", "side", "top", "platform-own"]
    assert [[target.name for target in wave] for wave in waves(hierarchy())] == [["base"], ["middle", "side"], ["top"], ["platform-own"]]


def test_lineage_is_nearest_first_and_descendants_are_all_below():
    assert [target.name for target in lineage(hierarchy(), "platform-own")] == ["platform-own", "top", "middle", "base"]
    assert descendants(hierarchy(), {"middle"}) == {"middle", "top", "platform-own"}


def test_what_was_built_of_these_files_is_current():
    assert due() == set()


def test_a_changed_file_concerns_its_image_and_all_below():
    assert due(files={**FILES, "images/middle/a": Packed(FILE, b"A\n")}) == {"middle", "top", "platform-own"}


def test_a_shared_folder_is_part_of_the_context():
    assert due(files={**FILES, "images/runtime/entry": Packed(EXECUTABLE, b"#!/bin/sh -e\n")}) == set(LETTERS)


@pytest.mark.parametrize(
    "packed", [Packed(EXECUTABLE, b"b\n"), Packed(LINK, b"b\n")], ids=["an executable bit", "a link in place of a file"]
)
def test_a_mode_is_part_of_the_key(packed):
    assert due(files={**FILES, "images/top/b": packed}) == {"top", "platform-own"}


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("  args: {SIDE: left}\n", "  args: {SIDE: right}\n", {"side"}),
        ("  context: images/side\n", "  context: images/side\n  epoch: 1\n", {"side"}),
        ("  context: images/side\n", "  context: images/side\n  sizeBudget: 1Mi\n", set()),
        ("  context: images/side\n", "  context: images/side\n  gate: {unfixed: warn}\n", set()),
        ("  context: images/side\n", "  context: images/side\n  smoke: [true]\n", set()),
    ],
    ids=["an argument", "the epoch", "not a budget", "not the gate", "not the smoke command"],
)
def test_only_what_reaches_the_builder_is_part_of_the_key(before, after, names):
    specs = {**SPECS, "specs/images/side.yaml": SPECS["specs/images/side.yaml"].replace(before, after)}
    assert due(specs=specs) == names


def test_a_base_that_moved_concerns_everything_on_it():
    assert due(bases={BASE: digest("f")}) == set(LETTERS)


def test_a_base_that_nobody_looked_up_leaves_it_open():
    found = decided(bases={})
    assert isinstance(found["base"].decision, Open)
    assert found["base"].decision.because == (f"what {BASE} stands for is not recorded",)
    assert found["middle"].decision.because == ("parent base rebuilt",)


def test_a_digest_in_the_spec_needs_no_record():
    pinned = f"{BASE}@{digest('d')}"
    specs = {**SPECS, "specs/images/base.yaml": image("base", f"{{registry: '{pinned}'}}", "  shared: [images/runtime]\n")}
    assert isinstance(decided(specs=specs, bases={})["base"].decision, Outdated)


def test_another_stage_by_a_reference_is_looked_up_like_a_base():
    files = {**FILES, "images/top/Dockerfile": Packed(FILE, b"FROM registry.example/tool:1 AS tool\nFROM middle\nCOPY --from=tool /t /t\n")}
    lock = locked()
    assert decided(files, lock=lock)["top"].decision == Open(("what registry.example/tool:1 stands for is not recorded",))
    known = decided(files, bases={**BASES, "registry.example/tool:1": digest("7")}, lock=lock)["top"]
    assert next(iter(known.recipes.values())).externals == {"registry.example/tool:1": digest("7")}


def test_a_context_without_its_dockerfile_cannot_be_built():
    files = {path: packed for path, packed in FILES.items() if path != "images/side/Dockerfile"}
    assert isinstance(decided(files)["side"].decision, Unbuildable)


def test_an_ignored_file_is_no_part_of_the_key():
    files = {**FILES, "images/middle/.dockerignore": Packed(FILE, b"*.md\n"), "images/middle/notes.md": Packed(FILE, b"1\n")}
    before = decided(files)["middle"].key
    assert decided({**files, "images/middle/notes.md": Packed(FILE, b"2\n")})["middle"].key == before


def test_why_names_the_files():
    before = decided(lock=locked())
    files = {**FILES, "images/side/x": Packed(FILE, b""), "images/side/Dockerfile": Packed(FILE, b"FROM base\n")}
    after = decided(files, lock=locked(), was=lambda target: before[target.name].recipes)
    assert after["side"].decision == Outdated(("context changed: Dockerfile, x",))


def test_every_part_of_a_recipe_makes_another_key():
    recipe = next(iter(decided()["base"].recipes.values()))
    others = [
        replace(recipe, start_digest=digest("9")),
        replace(recipe, args={"A": "1"}),
        replace(recipe, epoch=recipe.epoch + 1),
        replace(recipe, externals={"x": digest("8")}),
        replace(recipe, files={}),
        replace(recipe, platform="linux/arm64"),
    ]
    assert len({key(one) for one in (recipe, *others)}) == len(others) + 1
