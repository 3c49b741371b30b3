"""Images put together: the store of blobs, indexes, layout folders."""

import asyncio
import gzip
import io
import json
import os
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.layouts import store as module
from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.config import documents, empty
from pipelines.core.layer.compress import Plain
from pipelines.core.manifest import BadManifest, encode
from pipelines.core.tally import digest_of
from pipelines.model.oci import LAYER_GZIP, Descriptor, ImageConfig, ImageManifest, Pinned, Repository
from pipelines.ports import BuildFailed, Made, Push, RegistryFault, WrongDigest
from tests.pipelines.layer.tars import DATE, Leaf, entries, folder, names, tar

BASE = Repository("registry.test", "base")
LOWER = {"etc": folder(), "etc/os": Leaf(content=b"base"), "bin": folder(), "bin/sh": Leaf(content=b"sh", mode=0o755)}


class Counting(MemoryRegistry):
    """Counts the blobs that are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        self.asked.append(descriptor.digest)
        await asyncio.sleep(0)
        async for chunk in super().blob(repository, descriptor):
            yield chunk


async def put(registry: MemoryRegistry, body: bytes, media_type: str = LAYER_GZIP) -> Descriptor:
    descriptor = Descriptor(media_type, digest_of(body), len(body))

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    await registry.push_blob(BASE, Push(descriptor, chunks))
    return descriptor


async def pushed(registry: MemoryRegistry, plain: bytes, config: ImageConfig | None = None) -> Pinned:
    layer = await put(registry, gzip.compress(plain, mtime=0))
    said = encode(config or ImageConfig("amd64", "linux", (digest_of(plain),), {"Env": ["A=b"], "Cmd": ["sh"]}))
    manifest = encode(ImageManifest(await put(registry, said.body, said.media_type), (layer,)))
    await registry.push_manifest(BASE, manifest.digest, manifest)
    return Pinned(BASE, manifest.digest)


def made(folder: Path, items: dict[str, Leaf], run: dict[str, object] | None = None) -> Made:
    folder.mkdir(exist_ok=True)
    (folder / "changes.tar").write_bytes(tar(items))
    return Made(folder / "changes.tar", run or {"Cmd": ["app"]})


async def test_a_child_shares_its_parents_layers_and_the_same_files_give_the_same_digest_on_every_machine(tmp_path: Path):
    registry = Counting()
    base = await pushed(registry, tar(LOWER))
    digests = []
    for machine in ("one", "two"):
        layouts = Layouts(Store(tmp_path / machine), registry)
        parent = await layouts.parent(base, "linux/amd64")
        child = await layouts.extend(parent, BASE, made(tmp_path, {"bin/sh": LOWER["bin/sh"], "app": Leaf()}), DATE)
        digests.append(documents(child).manifest.digest)
        assert child.manifest.layers[0] == parent.manifest.layers[0]
        assert len(child.manifest.layers) == 2
    assert digests[0] == digests[1]


async def test_a_base_is_fetched_and_read_once_on_a_machine(tmp_path: Path):
    registry = Counting()
    base = await pushed(registry, tar(LOWER))
    for _ in range(2):
        layouts = Layouts(Store(tmp_path / "cache"), registry)
        parent = await layouts.parent(base, "linux/amd64")
        await asyncio.gather(*(layouts.extend(parent, BASE, made(tmp_path / str(at), {"a": Leaf(uid=at)}), DATE) for at in range(3)))
        (tmp_path / "cache" / "blobs" / "sha256" / parent.manifest.layers[0].digest.removeprefix("sha256:")).unlink(missing_ok=True)
    assert len(registry.asked) == 2  # the configuration, and the layer for its index


async def test_a_build_that_changed_nothing_adds_no_layer(tmp_path: Path):
    registry = MemoryRegistry()
    layouts = Layouts(Store(tmp_path), registry)
    parent = await layouts.parent(await pushed(registry, tar(LOWER)), "linux/amd64")
    child = await layouts.extend(parent, BASE, made(tmp_path / "m", LOWER), DATE)
    assert child.manifest.layers == parent.manifest.layers
    assert child.config.run == {"Cmd": ["app"]}


async def test_what_cannot_be_part_of_an_image_is_a_failed_build(tmp_path: Path):
    layouts = Layouts(Store(tmp_path), MemoryRegistry())
    with pytest.raises(BuildFailed, match=r"cannot become part of an image: /\.wh\.x"):
        await layouts.extend(empty("linux/amd64"), None, made(tmp_path / "m", {".wh.x": Leaf()}), DATE)
    with pytest.raises(BuildFailed, match="cannot be packed"):
        await layouts.extend(empty("linux/amd64"), None, Made(tmp_path / "gone", {}), DATE)


async def test_a_layout_has_every_blob_once_linked_from_the_store_and_read_only(tmp_path: Path):
    registry = MemoryRegistry()
    layouts = Layouts(Store(tmp_path / "cache"), registry)
    parent = await layouts.parent(await pushed(registry, tar(LOWER)), "linux/amd64")
    child = await layouts.extend(parent, BASE, made(tmp_path / "m", {"app": Leaf(content=b"1")}), DATE)
    child = await layouts.with_file(child, "/opt/fleet/image-sbom.json", b'{"a":1}', DATE)
    root = tmp_path / "layout"
    (root / "old").mkdir(parents=True)
    manifest = await layouts.write(child, BASE, root)
    assert {path.name for path in root.iterdir()} == {"blobs", "index.json", "oci-layout"}
    assert json.loads((root / "index.json").read_bytes())["manifests"][0]["digest"] == manifest.digest
    blobs = {path.name: path for path in (root / "blobs/sha256").iterdir()}
    assert len(blobs) == 5
    for name, path in blobs.items():
        assert digest_of(path.read_bytes()) == f"sha256:{name}"
        assert (path.stat().st_mode & 0o777, path.stat().st_nlink) == (0o444, 2)
    top = Plain(io.BytesIO(blobs[child.manifest.layers[-1].digest.removeprefix("sha256:")].read_bytes()))
    assert names(b"".join(iter(lambda: top.read(1 << 16), b""))) == ["opt", "opt/fleet", "opt/fleet/image-sbom.json"]


async def test_a_childs_inventory_replaces_its_parents(tmp_path: Path):
    layouts = Layouts(Store(tmp_path), MemoryRegistry())
    image = await layouts.with_file(empty("linux/amd64"), "opt/fleet/image-sbom.json", b"1", DATE)
    child = await layouts.with_file(image, "opt/fleet/image-sbom.json", b"2", DATE)
    again = await layouts.with_file(child, "opt/fleet/image-sbom.json", b"2", DATE)
    assert len(child.manifest.layers) == 2
    assert again.manifest.layers == child.manifest.layers


async def test_a_parent_that_is_gone_or_for_another_machine_is_a_fault(tmp_path: Path):
    registry = MemoryRegistry()
    layouts = Layouts(Store(tmp_path), registry)
    with pytest.raises(RegistryFault, match="is not there"):
        await layouts.parent(Pinned(BASE, "sha256:" + "0" * 64), "linux/amd64")
    arm = await pushed(registry, tar(LOWER), ImageConfig("arm64", "linux", (digest_of(tar(LOWER)),)))
    with pytest.raises(BadManifest, match="for linux/arm64, not for linux/amd64"):
        await layouts.parent(arm, "linux/amd64")


async def test_an_image_whose_layers_are_not_what_it_says_of_them_is_not_laid_out(tmp_path: Path):
    """A scanner that believes a false diff_id would take one layer for another."""
    registry = MemoryRegistry()
    layouts = Layouts(Store(tmp_path / "cache"), registry)
    claimed = digest_of(b"something else")
    false = await layouts.parent(await pushed(registry, tar(LOWER), ImageConfig("amd64", "linux", (claimed,))), "linux/amd64")
    for _ in range(2):
        with pytest.raises(BuildFailed, match=f"is {digest_of(tar(LOWER))}, and not {claimed} as the image says"):
            await layouts.write(false, BASE, tmp_path / "layout")
    assert not (tmp_path / "layout").exists()


class Lying(MemoryRegistry):
    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        yield b"something else"


async def test_a_blob_that_is_not_what_it_should_be_never_gets_into_the_store(tmp_path: Path):
    store = Store(tmp_path)
    wanted = Descriptor(LAYER_GZIP, digest_of(b"right"), 5)
    with pytest.raises(WrongDigest):
        await store.fetch(Lying(), BASE, wanted)
    assert not store.has(wanted)
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_blob_that_somebody_cut_is_fetched_again(tmp_path: Path):
    registry = Counting()
    descriptor = await put(registry, b"right")
    store = Store(tmp_path)
    path = await store.fetch(registry, BASE, descriptor)
    path.unlink()
    path.write_bytes(b"ri")
    assert (await store.fetch(registry, BASE, descriptor)).read_bytes() == b"right"
    assert store.is_sound(descriptor)


async def test_many_who_want_one_blob_fetch_it_once(tmp_path: Path):
    registry = Counting()
    descriptor = await put(registry, b"right")
    store = Store(tmp_path)
    await asyncio.gather(*(store.fetch(registry, BASE, descriptor) for _ in range(5)))
    assert len(registry.asked) == 1


async def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(1 << 40, 1 << 40, 100 << 20))
    with pytest.raises(module.NoRoom, match="100 MiB are free for images, 257 MiB are needed"):
        await Store(tmp_path).fetch(MemoryRegistry(), BASE, Descriptor(LAYER_GZIP, digest_of(b""), 1 << 20))
    assert not (tmp_path / "blobs").exists()


async def test_what_nothing_used_for_a_week_goes(tmp_path: Path):
    store = Store(tmp_path)
    old, used, new = (store.put(text) for text in (b"old", b"used", b"new"))
    for blob in (old, used):
        os.utime(store.path(blob.digest), (0, time.time() - module.WEEK - 60))
    assert store.has(used)
    await store.close()
    assert [store.has(blob) for blob in (old, used, new)] == [False, True, True]


WRITER = """
import sys, time
from pathlib import Path
from pipelines.adapters.layouts import Store
store = Store(Path(sys.argv[1]))
for n in range(30):
    assert store.has(store.put(b"%d" % n * 100_000))
"""


def test_two_processes_fill_one_store_at_once(tmp_path: Path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    blobs = list((tmp_path / "blobs/sha256").iterdir())
    assert len(blobs) == 30
    assert all(digest_of(path.read_bytes()) == f"sha256:{path.name}" for path in blobs)
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_cancelling_stops_the_packing_thread_and_leaves_no_scratch(tmp_path: Path):
    layouts = Layouts(Store(tmp_path / "cache"), MemoryRegistry())
    order = made(tmp_path / "m", {f"f{n}": Leaf(content=bytes(1 << 20)) for n in range(64)})
    task = asyncio.create_task(layouts.extend(empty("linux/amd64"), None, order, DATE))
    while not list((tmp_path / "cache").glob("scratch/*")):
        await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while list((tmp_path / "cache").glob("scratch/*")):
        await asyncio.sleep(0.002)
    assert not (tmp_path / "cache" / "blobs").exists()


async def test_a_damaged_index_is_made_again_from_the_blob(tmp_path: Path):
    registry = MemoryRegistry()
    base = await pushed(registry, tar(LOWER))
    layouts = Layouts(Store(tmp_path / "cache"), registry)
    parent = await layouts.parent(base, "linux/amd64")
    first = await layouts.extend(parent, BASE, made(tmp_path / "m", {"a": Leaf()}), DATE)
    for path in (tmp_path / "cache/indexes").iterdir():
        path.write_bytes(b"damaged")
    assert await layouts.extend(parent, BASE, made(tmp_path / "m", {"a": Leaf()}), DATE) == first
    assert entries(tar(LOWER)).keys() == {"etc", "etc/os", "bin", "bin/sh"}
