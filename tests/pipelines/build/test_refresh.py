"""What a refresh raises, which bases moved, and the edits of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.core.refresh import Move, Raise, Refresh, chosen, edited, moves, taken
from pipelines.flow.build.today import Today
from pipelines.model.recipe import FromPackages, FromRegistry
from pipelines.model.reference import parse_reference
from tests.pipelines.build.hierarchy import BASE, SPECS, hierarchy, image
from tests.pipelines.build.workshop import BOTH, MemoryBases, Workshop

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PIN = {**SPECS, "specs/images/base.yaml": image("base", f'{{registry: "{BASE}@{OLD}"}} # why')}


def of(specs: Mapping[str, str], *mentioned: str) -> list[tuple[str, str]]:
    (base,) = chosen(hierarchy(specs), ())
    return [(name, pinned) for name, _, pinned in taken(base, mentioned)]


def test_the_images_that_start_outside_the_fleet_are_meant_where_none_is_named() -> None:
    assert [target.name for target in chosen(hierarchy(), ())] == ["base"]
    assert {target.name for target in chosen(hierarchy(), {"side", "top"})} == {"side", "top"}


def test_a_pin_is_looked_up_by_its_tag_and_one_without_a_tag_stays() -> None:
    assert of(SPECS) == [(BASE, "")]
    assert of(PIN) == [(BASE, OLD)]
    assert of({**SPECS, "specs/images/base.yaml": image("base", f'{{registry: "registry.example/debian@{OLD}"}}')}) == []
    assert of(SPECS, f"ghcr.io/x/tool:1@{OLD}", "ghcr.io/x/other:2") == [(BASE, ""), ("ghcr.io/x/tool:1", OLD), ("ghcr.io/x/other:2", "")]


def test_the_pin_of_a_stand_in_is_not_a_specs_to_change() -> None:
    fleet = SPECS["fleet.yaml"] + f'      bases: {{"{BASE}": {{registry: "mirror.example/debian:12@{OLD}"}}}}\n'
    assert of({**SPECS, "fleet.yaml": fleet}) == []


def test_what_means_the_same_has_not_moved() -> None:
    asked = [("base", (BASE, FromRegistry(BASE), "")), ("other", (BASE, FromRegistry(BASE), OLD))]
    assert moves(asked, {BASE: OLD}, {BASE: OLD}) == ()
    assert moves(asked, {BASE: NEW}, {BASE: OLD}) == (Move(BASE, OLD, NEW, ("base",)), Move(BASE, OLD, NEW, ("other",), True))
    assert moves(asked, {}, {}) == ()  # not to be looked up is not moved


def test_an_epoch_is_raised_in_its_place_and_every_other_byte_stays() -> None:
    path = "specs/images/base.yaml"
    said = SPECS[path].replace("  shared:", "  epoch: 4 # after the fire\n  shared:")
    for text, one, after in (
        (SPECS[path], Raise("base", path, 0, False), SPECS[path] + "  epoch: 1\n"),
        (said, Raise("base", path, 4, True), said.replace("epoch: 4", "epoch: 5")),
    ):
        assert edited(Refresh((one,), ()), {"base": path}, {path: text.encode()}, {}) == {path: after.encode()}


def test_a_pin_moves_in_spec_and_dockerfile() -> None:
    spec, dockerfile = "specs/images/base.yaml", "images/base/Dockerfile"
    files = {spec: PIN[spec].encode(), dockerfile: f"FROM {BASE}@{OLD}\nCOPY --from={BASE} /a /a\n".encode()}
    refresh = Refresh((), (Move(BASE, OLD, NEW, ("base",), True),))
    after = edited(refresh, {"base": spec}, files, {"base": dockerfile})
    assert after == {
        spec: PIN[spec].replace(OLD, NEW).encode(),
        dockerfile: f"FROM {BASE}@{NEW}\nCOPY --from={BASE} /a /a\n".encode(),
    }


def test_what_starts_from_what_is_refreshed_is_rebuilt() -> None:
    every = hierarchy()
    assert Refresh((Raise("middle", "", 0, False),), ()).rebuilt(every) == ("middle", "top", "platform-own")
    assert set(Refresh((), (Move(BASE, OLD, NEW, ("base",)),)).rebuilt(every)) == {target.name for target in every}
    assert Refresh((), ()).rebuilt(every) == ()


async def test_bases_are_looked_up_once_each_and_what_fails_fails_alone(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    await shop.upstream(*BOTH)
    reference = parse_reference(BASE)
    head = await shop.registry.head(reference.repository, reference.wanted)
    assert head is not None
    found, failed = await Today(shop.registry, shop.bases, hierarchy()).digests({FromRegistry(BASE), FromRegistry("gone.example/x:1")}, {})
    assert found == {BASE: head.digest}
    assert list(failed) == ["gone.example/x:1"]
    assert "is not there" in failed["gone.example/x:1"].message


@pytest.mark.parametrize("platforms", [BOTH[:1], BOTH])
async def test_packages_of_another_day_are_another_base(tmp_path: Path, platforms: tuple[str, ...]) -> None:
    bases = MemoryBases()
    shop = Workshop(tmp_path)
    shop.for_platforms(*platforms)
    shop.specs["specs/images/base.yaml"] = image("base", "{debian: {suite: bookworm}}")
    every = shop.wish().targets
    start = FromPackages("bookworm", ())
    digests = []
    for bases.day in ("1", "1", "2"):
        digests.append(await Today(shop.registry, bases, every).of(start))
    assert digests[0] == digests[1] != digests[2]
    assert sorted(set(bases.asked)) == [platform.partition("/")[2] for platform in platforms]
