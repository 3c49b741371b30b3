"""Layout folders are read as streams, and only when they are what they say."""

from __future__ import annotations

import json

import pytest

from pipelines.adapters.folders import Folder
from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.manifest import BadManifest
from pipelines.flow.publish import Package, publish
from pipelines.model.oci import Repository
from pipelines.ports import WrongDigest
from tests.images.registry.goods import Image

HOME = Repository("registry.example", "acme/web")


def written(root, image: Image):
    blobs = root / "blobs/sha256"
    blobs.mkdir(parents=True)
    for digest, body in (*image.blobs.items(), (image.document.digest, image.document.body)):
        (blobs / digest.removeprefix("sha256:")).write_bytes(body)
    one = {"mediaType": image.document.media_type, "digest": image.document.digest, "size": len(image.document.body)}
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [one]}))
    return Folder(root)


async def test_layout_folder_is_published(tmp_path):
    registry, image = MemoryRegistry(), Image(b"layer" * 500_000)
    folder = written(tmp_path, image)
    done = await publish(registry, Package(folder.document(), folder.source), HOME)
    assert await registry.manifest(HOME, done.pinned.digest) == image.document
    assert registry.shelves[HOME].blobs == image.blobs


async def test_blob_that_changed_on_disk_is_not_published(tmp_path):
    registry, image = MemoryRegistry(), Image(b"layer", b"more")
    folder = written(tmp_path, image)
    (tmp_path / "blobs/sha256" / image.document.digest.removeprefix("sha256:")).write_bytes(b"{}")
    with pytest.raises(BadManifest, match="not what its name says"):
        folder.document()
    for file in (tmp_path / "blobs/sha256").iterdir():
        file.write_bytes(b"changed")
    with pytest.raises(WrongDigest):
        await publish(registry, Package(image.document, folder.source), HOME)


@pytest.mark.parametrize("index", ["{}", '{"manifests":[]}', '{"manifests":[{},{}]}', "[]"])
def test_layout_of_no_image_or_many_is_refused(tmp_path, index):
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(BadManifest):
        Folder(tmp_path).document()
