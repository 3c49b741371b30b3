"""Waves for GitHub: what a commit makes anew, in order, no more legs than a matrix may have."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.matrix import MAX_LEGS, WAVES, Leg, Node, changed, nodes, outputs, waves
from reconciler.core.environment import environment
from reconciler.core.resolve import resolve
from reconciler.core.understand import understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.model.lock import Lock
from tests.fleets import TODAY, Repo
from tests.pipelines.build.hierarchy import SPECS, image

ROOT = Path(__file__).parents[2]
AMD = ("linux/amd64",)
FAMILY = "images/family-vision-cu121"
OTHER = SPECS["specs/services/platform/own.yaml"].replace("images/own", "images/other")


def graph(edits: Mapping[str, tuple[str, str]] | None = None, contexts: Mapping[str, str] | None = None) -> Graph:
    """The reference fleet in production, with some of its files edited and some of its contexts as they are not."""
    paths = [ROOT / "fleet.yaml", *ROOT.glob("specs/**/*.yaml"), *(path for path in ROOT.glob("policies/**/*") if path.is_file())]
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}
    for path, (old, new) in (edits or {}).items():
        assert old in files[path].decode()
        files[path] = files[path].replace(old.encode(), new.encode())
    read = understand(SourceTree("c0ffee1", False, files, dict(contexts or {})), KINDS)
    found = environment(read.fleet, "production")
    assert not isinstance(found, Finding)
    return resolve(read.fleet, KINDS, read.linking, found, Lock(), read.tree, TODAY, findings=read.findings)


def legs(before: Graph, after: Graph) -> list[list[str]]:
    return [[" ".join((*leg.images, leg.platform, *leg.machines)) for leg in wave] for wave in waves(nodes(after), changed(before, after))]


@pytest.fixture(scope="module")
def fleet() -> Graph:
    return graph()


def test_a_pull_request_that_touches_only_the_vision_family_has_one_leg(fleet: Graph) -> None:
    assert legs(fleet, graph(contexts={FAMILY: "f" * 40})) == [["family-vision-cu121 linux/amd64 mainpc pc2"]]


def test_a_pull_request_that_touches_no_image_has_no_legs(fleet: Graph) -> None:
    other = graph({"specs/services/agents/responder.yaml": ("wave: 20", "wave: 30")})
    gate = graph({"specs/images/family-web.yaml": ("sizeBudget: 450Mi", "sizeBudget: 400Mi")})
    assert legs(fleet, other) == legs(fleet, gate) == []


def test_what_starts_from_an_image_follows_it_a_wave_later(fleet: Graph) -> None:
    assert legs(fleet, graph(contexts={"images/base-utils": "f" * 40})) == [
        ["base-utils linux/amd64"],
        ["base-cpu-pydeps linux/amd64"],
        ["family-web linux/amd64"],
    ]


def test_machines_with_different_drivers_have_a_leg_each() -> None:
    newer = ("gpu: {model: rtx-3060, memory: 12Gi, driver: 535.183.01", "gpu: {model: rtx-3060, memory: 12Gi, driver: 580.65.06")
    before, after = (graph({"fleet.yaml": newer}, contexts) for contexts in ({}, {FAMILY: "f" * 40}))
    assert legs(before, after) == [["family-vision-cu121 linux/amd64 mainpc", "family-vision-cu121 linux/amd64 pc2"]]


def test_each_platform_has_a_leg(fleet: Graph) -> None:
    both = ("sizeBudget: 450Mi", "sizeBudget: 450Mi\n  platforms: [linux/amd64, linux/arm64]")
    after = graph({"specs/images/family-web.yaml": both})
    (wave,) = waves(nodes(after), changed(fleet, after))
    lines = dict(line.split("=", 1) for line in outputs((wave,)))
    assert [(one["images"], one["platform"], one["runner"]) for one in json.loads(lines["wave0"])["include"]] == [
        ("family-web", "linux/amd64", "ubuntu-24.04"),
        ("family-web", "linux/arm64", "ubuntu-24.04-arm"),
    ]


def test_an_empty_wave_says_so() -> None:
    lines = dict(line.split("=", 1) for line in outputs(()))
    assert lines["any"] == "false"
    assert {lines[f"any{number}"] for number in range(WAVES)} == {"false"}
    assert {lines[f"wave{number}"] for number in range(WAVES)} == {'{"include":[]}'}


def test_an_image_that_is_built_between_two_that_are_not_is_in_the_first_wave() -> None:
    images = {"a": Node(None, AMD), "b": Node("a", AMD), "c": Node("b", AMD)}
    assert waves(images, {"b"}) == ((Leg(("b",), "linux/amd64", ()),),)


def test_what_no_image_is_called_is_left_out() -> None:
    assert waves({"a": Node(None, AMD)}, {"a", "gone"}) == ((Leg(("a",), "linux/amd64", ()),),)


def test_more_images_than_legs_share_them() -> None:
    images = {f"i{number:04}": Node(None, AMD) for number in range(1000)}
    (wave,) = waves(images, images)
    assert len(wave) <= MAX_LEGS
    assert sorted(name for leg in wave for name in leg.images) == sorted(images)


def test_a_chain_deeper_than_the_workflow_is_built_in_order_in_its_last_wave() -> None:
    images = {f"d{number:02}": Node(f"d{number - 1:02}" if number else None, AMD) for number in range(12)}
    found = waves(images, images)
    assert len(found) == WAVES
    assert [leg.images for leg in found[-1]] == [tuple(f"d{number:02}" for number in range(WAVES - 1, 12))]


def test_a_leg_of_a_family_has_only_what_is_for_its_platform() -> None:
    both = ("linux/amd64", "linux/arm64")
    images = {f"d{number:02}": Node(f"d{number - 1:02}" if number else None, both if number < 7 else AMD) for number in range(9)}
    deep = list(waves(images, images)[-1])
    assert {leg.platform: leg.images for leg in deep} == {"linux/amd64": ("d05", "d06", "d07", "d08"), "linux/arm64": ("d05", "d06")}


def test_a_services_own_build_is_an_image_like_others() -> None:
    every = Repo(SPECS).graph()
    assert nodes(every)["platform-own"] == Node("top", AMD)
    build = changed(Repo({**SPECS, "specs/services/platform/own.yaml": OTHER}).graph(), every)
    assert build == {"platform-own"}
    assert changed(
        Repo({**SPECS, "specs/images/base.yaml": image("base", "{registry: registry.example/debian:13}")}).graph(), every
    ) == set(nodes(every))


@given(st.data())
def test_every_image_is_built_once_after_what_it_starts_from(data: st.DataObject) -> None:
    names = [f"i{number}" for number in range(data.draw(st.integers(1, 14)))]
    images = {
        name: Node(data.draw(st.sampled_from([None, *names[:place]])), AMD) for place, name in enumerate(names)
    }  # fmt: skip
    build = data.draw(st.sets(st.sampled_from(names)))
    order = [
        (number, place, name) for number, wave in enumerate(waves(images, build)) for leg in wave for place, name in enumerate(leg.images)
    ]
    assert sorted(name for *_, name in order) == sorted(build)
    at = {name: (number, place) for number, place, name in order}
    for name in build:
        parent = images[name].parent
        assert parent not in at or at[parent] < at[name]


def test_a_new_image_is_built(fleet: Graph) -> None:
    resources = {ref: one for ref, one in fleet.resources.items() if ref.name != "family-web"}
    assert changed(replace(fleet, resources=resources), fleet) == {"family-web"}
