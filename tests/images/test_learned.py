"""What Trivy learned of layers is used again for images that have them below, and for no others."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters.trivy import Settings, Trivy
from pipelines.adapters.trivy.learned import IMAGES, Learned
from pipelines.core.sbom.bom import components
from pipelines.core.sbom.canonical import canonical
from pipelines.ports import NoVerdict
from tests.images.layouts import Deb, Layout, dist_info, dpkg, layout

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = {**dpkg(Deb("libssl3", "3.0.11-1", "openssl")), **dist_info("pip", "23.0")}
WEB = dist_info("requests", "2.19.0")
OTHER = {**dpkg(Deb("curl", "7.88.1-10")), **dist_info("pip", "23.0")}


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return tmp_path / "learned"


@pytest.fixture
def trivy(trivy_program: Path, tmp_path: Path, known: Path) -> Trivy:
    return Trivy(Settings(trivy_program, tmp_path / "no-database", lambda: NOON, learned=known))


async def names(trivy: Trivy, image: Layout) -> set[str]:
    """Packages that it finds."""
    return {one.name for one in components(await trivy.inventory(image.folder)) if one.ecosystem}


def without(image: Layout, number: int) -> None:
    """Take the blob of a layer out of a layout folder."""
    (index,) = json.loads((image.folder / "index.json").read_bytes())["manifests"]
    blobs = image.folder / "blobs" / "sha256"
    manifest = json.loads((blobs / index["digest"].removeprefix("sha256:")).read_bytes())
    (blobs / manifest["layers"][number]["digest"].removeprefix("sha256:")).unlink()


async def test_layers_of_a_parent_are_not_read_again(trivy: Trivy, tmp_path: Path):
    base, web = layout(tmp_path / "base", [BASE]), layout(tmp_path / "web", [BASE, WEB])
    await trivy.inventory(base.folder)
    without(web, 0)
    assert await names(trivy, web) == {"libssl3", "pip", "requests"}


async def test_what_two_images_start_from_is_read_once(trivy: Trivy, tmp_path: Path):
    web, batch = layout(tmp_path / "web", [BASE, WEB]), layout(tmp_path / "batch", [BASE, dist_info("celery", "5.5.0")])
    await trivy.inventory(web.folder)
    without(batch, 0)
    assert await names(trivy, batch) == {"libssl3", "pip", "celery"}


async def test_what_is_said_of_an_image_is_the_same_with_and_without_it(trivy: Trivy, trivy_program: Path, tmp_path: Path):
    base, web = layout(tmp_path / "base", [BASE]), layout(tmp_path / "web", [BASE, WEB])
    forgetful = Trivy(Settings(trivy_program, tmp_path / "no-database", lambda: NOON))
    await trivy.inventory(base.folder)
    owners = dict(zip(web.diff_ids, ("base", "web"), strict=True))
    said = [canonical(await each.inventory(web.folder), "web", owners) for each in (trivy, trivy, forgetful)]
    assert said[0] == said[1] == said[2]


async def test_another_blob_that_claims_the_same_diff_id_is_read(trivy: Trivy, tmp_path: Path):
    base = layout(tmp_path / "base", [BASE])
    liar = layout(tmp_path / "liar", [OTHER], claimed=base.diff_ids)
    await trivy.inventory(base.folder)
    assert await names(trivy, liar) == {"curl", "pip"}


async def test_a_claim_about_a_blob_that_was_read_says_nothing_of_the_blob_whose_diff_id_it_is(trivy: Trivy, tmp_path: Path):
    """Else an image of harmless layers could say of them what is true of a harmful one, to have that one passed over later."""
    honest = layout(tmp_path / "honest", [BASE, OTHER])
    decoy = layout(tmp_path / "decoy", [BASE], claimed=honest.diff_ids[1:])
    await trivy.inventory(decoy.folder)
    assert "curl" in await names(trivy, honest)


async def test_of_an_image_that_gives_two_blobs_one_diff_id_nothing_is_kept(trivy: Trivy, tmp_path: Path, known: Path):
    """Trivy itself takes them for one, so no such image is shown to it (pipelines/adapters/layouts)."""
    doubled = layout(tmp_path / "doubled", [BASE, OTHER], claimed=layout(tmp_path / "base", [BASE]).diff_ids * 2)
    assert "curl" not in await names(trivy, doubled)
    assert not known.exists()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "another package": lambda data: data.replace(b"libssl3", b"libsslx"),
    "well kept, but nothing that Trivy knows": lambda _: b"garbage" * 1000 + hashlib.sha256(b"garbage" * 1000).digest(),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_is_damaged_is_learned_anew(damage: str, trivy: Trivy, tmp_path: Path, known: Path):
    base = layout(tmp_path / "base", [BASE])
    await trivy.inventory(base.folder)
    (kept,) = known.iterdir()
    before = kept.read_bytes()
    kept.write_bytes(DAMAGE[damage](before))
    assert kept.read_bytes() != before
    assert await names(trivy, base) == {"libssl3", "pip"}
    without(base, 0)
    assert await names(trivy, base) == {"libssl3", "pip"}


async def test_where_nothing_can_be_kept_everything_is_read(trivy: Trivy, tmp_path: Path, known: Path):
    known.write_text("no folder")
    base = layout(tmp_path / "base", [BASE])
    for _ in range(2):
        assert await names(trivy, base) == {"libssl3", "pip"}
    assert known.read_text() == "no folder"


async def test_of_what_it_cannot_read_nothing_is_kept(trivy: Trivy, tmp_path: Path, known: Path):
    broken = layout(tmp_path / "broken", [BASE])
    without(broken, 0)
    with pytest.raises(NoVerdict):
        await trivy.inventory(broken.folder)
    assert not known.exists()


def test_another_program_learns_anew(tmp_path: Path, known: Path):
    base = layout(tmp_path / "base", [BASE])
    for cache in ("a", "b", "c"):
        (tmp_path / cache).mkdir()
    old, new = Learned(known, "old"), Learned(known, "new")
    assert not old.given(base.folder, tmp_path / "a")
    (tmp_path / "a" / "fanal" / "fanal.db").write_bytes(b"learned")
    old.keep(base.folder, tmp_path / "a")
    assert old.given(base.folder, tmp_path / "b")
    assert not new.given(base.folder, tmp_path / "c")


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, known: Path):
    known.mkdir()
    for number in range(IMAGES + 5):
        old = known / hashlib.sha256(str(number).encode()).hexdigest()
        old.touch()
        os.utime(old, (number, number))
    base = layout(tmp_path / "base", [BASE])
    (tmp_path / "fanal").mkdir()
    (tmp_path / "fanal" / "fanal.db").write_bytes(b"learned")
    Learned(known, "it").keep(base.folder, tmp_path)
    kept = {one.name for one in known.iterdir()}
    assert len(kept) == IMAGES
    assert {number for number in range(IMAGES + 5) if hashlib.sha256(str(number).encode()).hexdigest() not in kept} == set(range(6))
