"""Builds that push nothing: the same images, judged the same, and a registry that has seen none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.adapters.layouts import Overlay, Store
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.model.oci import LAYER, Descriptor, Repository
from pipelines.model.outcome import Passed, Refused
from pipelines.model.recipe import FromRegistry
from pipelines.model.trust import CYCLONEDX
from pipelines.ports import Push, RegistryFault, WrongDigest
from tests.pipelines.build.workshop import BOTH, Workshop

HERE = Repository("registry.test", "acme/x")


@pytest.fixture
async def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    await shop.upstream(*BOTH)
    return shop


def overlay(shop: Workshop) -> Overlay:
    return Overlay(shop.registry, Store(shop.root / "store"))


def state(shop: Workshop) -> object:
    return {str(at): (sorted(one.blobs), sorted(one.manifests), sorted(one.tags)) for at, one in shop.registry.shelves.items()}


async def test_nothing_is_written_to_any_registry(shop: Workshop) -> None:
    before = state(shop)
    done = await shop.build(registry=overlay(shop), pushes=False)
    assert {type(one) for one in done.outcomes.values()} == {Passed}
    assert state(shop) == before


async def test_the_images_are_those_that_a_pushing_build_makes(shop: Workshop) -> None:
    kept = await shop.build(registry=overlay(shop), pushes=False)
    pushed = await shop.build()
    digests = [{name: one.pinned.digest for name, one in done.outcomes.items() if isinstance(one, Passed)} for done in (kept, pushed)]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 5


async def test_parents_that_were_built_beside_come_as_folders_and_external_ones_by_name(shop: Workshop) -> None:
    await shop.build("top", registry=overlay(shop), pushes=False)
    by_name = {order.name: order for order in shop.builder.orders}
    starts = {target.name: target.start for target in shop.wish().targets}
    assert {name: order.parent_layout is None for name, order in by_name.items()} == {
        name: isinstance(starts[name], FromRegistry) for name in by_name
    }


async def test_what_the_cache_has_is_used_and_not_built(shop: Workshop) -> None:
    await shop.build("middle")
    shop.builder.orders.clear()
    before = state(shop)
    done = await shop.build("top", registry=overlay(shop), pushes=False)
    assert [order.name for order in shop.builder.orders] == ["top"]
    assert isinstance(done.outcomes["top"], Passed)
    assert state(shop) == before


async def test_sboms_can_be_read_back_for_reports(shop: Workshop) -> None:
    registry = overlay(shop)
    base = (await shop.build("base", registry=registry, pushes=False)).outcomes["base"]
    assert isinstance(base, Passed)
    (sbom,) = await papers.find(registry, base.pinned, CYCLONEDX)
    assert digest_of(sbom) == base.sbom


async def test_the_gate_says_no_as_ever(shop: Workshop) -> None:
    shop.scanner.bad = {"amd64": "CVE-2026-1"}
    done = await shop.build("middle", registry=overlay(shop), pushes=False)
    assert isinstance(done.outcomes["base"], Refused)


async def test_several_platforms_are_joined_without_pushing(shop: Workshop) -> None:
    shop.for_platforms(*BOTH)
    before = state(shop)
    done = await shop.build("top", registry=overlay(shop), pushes=False)
    assert [len(one.parts) for one in done.outcomes.values() if isinstance(one, Passed)] == [2, 2, 2]
    assert state(shop) == before


async def test_a_blob_that_is_not_what_it_says_is_not_kept(shop: Workshop) -> None:
    async def wrong():
        yield b"wrong"

    blob = Descriptor(LAYER, digest_of(b"right"), 5)
    with pytest.raises(WrongDigest):
        await overlay(shop).push_blob(HERE, Push(blob, wrong))
    assert not Store(shop.root / "store").has(blob)


async def test_a_manifest_without_its_blobs_is_refused(shop: Workshop) -> None:
    from pipelines.core.manifest import encode
    from pipelines.model.oci import CONFIG, ImageManifest

    document = encode(ImageManifest(Descriptor(CONFIG, digest_of(b"{}"), 2), ()))
    with pytest.raises(RegistryFault, match="has no sha256:"):
        await overlay(shop).push_manifest(HERE, "latest", document)
