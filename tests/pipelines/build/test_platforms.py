"""Images for several platforms: each is built and judged, and an index of them is what the lock names and what others start from."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pipelines.core.key import several
from pipelines.core.manifest import decode
from pipelines.core.sbom.join import PLATFORM
from pipelines.core.tags import key_tag
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.flow.reading import read_config, read_image
from pipelines.model.oci import MANIFEST, ImageIndex
from pipelines.model.outcome import Failed, Part, Passed, Refused, Skipped, Unchanged
from pipelines.model.trust import CYCLONEDX, IN_TOTO
from tests.pipelines.build.hierarchy import SPECS, image
from tests.pipelines.build.workshop import BOTH, Workshop

ARM = "linux/arm64"


@pytest.fixture
async def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.for_platforms(*BOTH)
    await shop.upstream(*BOTH)
    return shop


def passed(outcome: object) -> Passed:
    assert isinstance(outcome, Passed), outcome
    return outcome


async def test_the_lock_names_an_index_with_an_image_for_each_platform(shop: Workshop) -> None:
    base = passed((await shop.build("base")).outcomes["base"])
    document = await shop.registry.manifest(base.pinned.repository, base.pinned.digest)
    assert document is not None
    index = decode(document)
    assert isinstance(index, ImageIndex)
    assert [one.platform for one in index.manifests] == list(BOTH)
    assert [one.digest for one in index.manifests] == [base.parts[platform].pinned.digest for platform in BOTH]
    assert len({one.digest for one in index.manifests}) == 2


async def test_a_child_starts_from_the_parent_of_its_own_platform(shop: Workshop) -> None:
    done = await shop.build("top")
    top, middle = passed(done.outcomes["top"]), passed(done.outcomes["middle"])
    for platform in BOTH:
        below = await read_image(shop.registry, middle.pinned.repository, middle.pinned.digest, platform)
        above = await read_image(shop.registry, top.pinned.repository, top.pinned.digest, platform)
        assert above.manifest.layers[: len(below.manifest.layers)] == below.manifest.layers
        assert (await read_config(shop.registry, above)).architecture == platform.partition("/")[2]
    told = {(order.name, order.platform): order.parent for order in shop.builder.orders}
    assert told["top", ARM] == middle.parts[ARM].pinned


async def test_the_key_of_the_index_is_that_of_its_platforms(shop: Workshop) -> None:
    base = passed((await shop.build("base")).outcomes["base"])
    assert base.key == several({platform: part.key for platform, part in base.parts.items()})
    shelf = shop.registry.shelves[shop.wish().shelf("base")]
    assert shelf.tags[key_tag(base.key)] == base.pinned.digest
    assert {shelf.tags[key_tag(part.key)] for part in base.parts.values()} == {part.pinned.digest for part in base.parts.values()}


async def test_the_index_has_one_sbom_of_all_platforms_and_one_verdict(shop: Workshop) -> None:
    base = passed((await shop.build("base")).outcomes["base"])
    (sbom,) = await papers.find(shop.registry, base.pinned, CYCLONEDX)
    assert digest_of(sbom) == base.sbom
    bom = orjson.loads(sbom)
    by_ref = {one["bom-ref"]: {pair["name"]: pair["value"] for pair in one.get("properties", ())} for one in bom["components"]}
    assert sorted(pair.get(PLATFORM, "") for pair in by_ref.values()) == ["", *BOTH]
    assert bom["metadata"]["component"]["version"] == base.pinned.digest
    statements = [orjson.loads(one) for one in await papers.find(shop.registry, base.pinned, IN_TOTO)]
    assert [one["subject"][0]["digest"]["sha256"] for one in statements] == [base.pinned.digest.removeprefix("sha256:")]


async def test_what_was_built_is_found_again_and_not_built(shop: Workshop) -> None:
    first = await shop.build("top")
    orders = len(shop.builder.orders)
    second = await shop.build("top")
    assert len(shop.builder.orders) == orders == 6
    for name, one in second.outcomes.items():
        again = passed(one)
        assert not again.is_new
        assert (again.pinned, again.sbom, again.statement) == tuple(
            getattr(passed(first.outcomes[name]), field) for field in ("pinned", "sbom", "statement")
        )


async def test_what_the_lock_has_is_not_looked_at_twice(shop: Workshop) -> None:
    shop.locked(await shop.build("top"))
    scans = shop.scanner.scans
    assert {type(one) for one in (await shop.build("top")).outcomes.values()} == {Unchanged}
    assert shop.scanner.scans == scans


async def test_a_platform_that_fails_its_gate_fails_the_image(shop: Workshop) -> None:
    shop.scanner.bad = {"arm64": "CVE-2026-1"}
    done = await shop.build("middle")
    base = done.outcomes["base"]
    assert isinstance(base, Refused)
    assert [one.vulnerability.id for one in base.verdict.failing] == ["CVE-2026-1"]
    assert isinstance(done.outcomes["middle"], Skipped)
    published = shop.registry.shelves[shop.wish().repository("base")].manifests.values()
    assert not any(isinstance(decode(one), ImageIndex) for one in published)


async def test_a_platform_that_breaks_says_which(shop: Workshop) -> None:
    shop.builder.breaks = {("base", ARM)}
    base = (await shop.build("base")).outcomes["base"]
    assert isinstance(base, Failed)
    assert base.message.startswith("linux/arm64: base failed at step 2/2")


async def test_one_machine_a_platform_and_the_last_one_joins_them(shop: Workshop) -> None:
    first = (await shop.build("base", platform=BOTH[0])).outcomes["base"]
    assert isinstance(first, Part)
    assert (list(first.passed), first.missing) == ([BOTH[0]], (ARM,))
    second = passed((await shop.build("base", platform=ARM)).outcomes["base"])
    assert {order.platform for order in shop.builder.orders} == set(BOTH)
    whole = passed((await shop.build("base", builds=False)).outcomes["base"])
    assert whole.pinned == second.pinned
    assert len(shop.builder.orders) == 2


async def test_a_child_waits_until_all_of_its_parent_is_there(shop: Workshop) -> None:
    done = await shop.build("middle", platform=BOTH[0])
    middle = done.outcomes["middle"]
    assert isinstance(middle, Skipped)
    assert middle.because == "base is not in the cache yet for linux/arm64"


async def test_whoever_joins_makes_the_same_index(shop: Workshop, tmp_path: Path) -> None:
    other = Workshop(tmp_path / "other")
    other.for_platforms(*reversed(BOTH))
    await other.upstream(*BOTH)
    assert passed((await shop.build("base")).outcomes["base"]).pinned == passed((await other.build("base")).outcomes["base"]).pinned


async def test_a_mirror_for_several_platforms_has_those_alone(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    await shop.upstream(*BOTH, "linux/s390x")
    mirror = SPECS["specs/images/base.yaml"].replace(
        "  context: images/base\n  shared: [images/runtime]\n", "  platforms: [linux/amd64, linux/arm64]\n"
    )
    shop.specs = {**SPECS, "specs/images/base.yaml": mirror}
    base = passed((await shop.build("base")).outcomes["base"])
    document = await shop.registry.manifest(base.pinned.repository, base.pinned.digest)
    assert document is not None
    index = decode(document)
    assert isinstance(index, ImageIndex)
    assert [(one.platform, one.media_type) for one in index.manifests] == [(platform, MANIFEST) for platform in BOTH]


async def test_a_root_of_packages_has_the_packages_of_each_platform(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.for_platforms(*BOTH)
    shop.specs["specs/images/base.yaml"] = image("base", "{debian: {suite: bookworm, packages: [tini]}}")
    shop.files["images/base/Dockerfile"] = shop.files["images/base/Dockerfile"]._replace(data=b"FROM debian:bookworm\nCOPY x /x\n")
    shop.files["images/base/x"] = shop.files["images/middle/a"]
    base = passed((await shop.build("base")).outcomes["base"])
    assert sorted(set(shop.bases.asked)) == ["amd64", "arm64"]
    roots = [
        (await read_image(shop.registry, base.pinned.repository, base.pinned.digest, platform)).manifest.layers[0].digest
        for platform in BOTH
    ]
    assert roots[0] != roots[1]
    assert len(passed((await shop.build("base")).outcomes["base"]).parts) == 2
