"""One file of an image, out of the layer that has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.config import Image, empty
from pipelines.ports import BuildFailed, Made
from tests.images.layouts import tar

FILE = "var/lib/dpkg/status"
BELOW = {FILE: b"below\n", "etc/x": b"x\n"}
CASES = {
    "the layer below": ([BELOW, {"etc/y": b"y\n"}], b"below\n"),
    "the layer above": ([BELOW, {FILE: b"above\n"}], b"above\n"),
    "a layer that takes it away": ([BELOW, {"var/lib/dpkg/.wh.status": b""}], None),
    "a layer that takes its folder away": ([BELOW, {"var/.wh.lib": b""}], None),
    "nothing": ([{"etc/x": b"x\n"}], None),
}


async def image(layouts: Layouts, folder: Path, layers: Sequence[dict[str, bytes]]) -> Image:
    made = empty("linux/amd64")
    for number, files in enumerate(layers):
        changes = folder / f"{number}.tar"
        changes.write_bytes(tar(files))
        made = await layouts.extend(made, None, Made(changes, {}), 0)
    return made


@pytest.mark.parametrize("name", CASES)
async def test_the_highest_layer_that_says_something_decides(name: str, tmp_path: Path) -> None:
    layers, found = CASES[name]
    layouts = Layouts(Store(tmp_path / "store"), MemoryRegistry())
    assert await layouts.read(await image(layouts, tmp_path, layers), FILE) == found


def spoil(layouts: Layouts, made: Image, other: Image) -> None:
    """Puts the lowest layer of another image in the place of this one's."""
    blob = layouts.store.path(made.manifest.layers[0].digest)
    blob.chmod(0o644)
    blob.write_bytes(layouts.store.path(other.manifest.layers[0].digest).read_bytes())


async def test_a_layer_that_has_not_what_its_index_says_is_no_answer(tmp_path: Path) -> None:
    layouts = Layouts(Store(tmp_path / "store"), MemoryRegistry())
    made = await image(layouts, tmp_path, [BELOW])
    spoil(layouts, made, await image(layouts, tmp_path, [{"etc/y": b"y\n"}]))
    with pytest.raises(BuildFailed, match="not in the layer"):
        await layouts.read(made, "etc/x")


async def test_a_layer_is_not_read_for_what_was_read_once_or_is_always_asked_for(tmp_path: Path) -> None:
    layouts = Layouts(Store(tmp_path / "store"), MemoryRegistry())
    made = await image(layouts, tmp_path, [BELOW])
    assert await layouts.read(made, "etc/x") == b"x\n"
    layouts.store.path(made.manifest.layers[0].digest).unlink()
    assert await layouts.read(made, "etc/x") == b"x\n"
    assert await layouts.read(made, FILE) == b"below\n"
