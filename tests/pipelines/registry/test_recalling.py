"""A registry is not asked again for what cannot have changed; and is for what can."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipelines.adapters import recalling
from pipelines.adapters.memory import MemoryRegistry
from pipelines.adapters.recalling import Recalling
from pipelines.core.manifest import encode
from pipelines.core.tally import digest_of
from pipelines.model.oci import CONFIG, LAYER, Descriptor, Document, ImageManifest, Repository
from pipelines.ports import Push, RegistryFault

HERE, THERE = Repository("registry.test", "here"), Repository("registry.test", "there")


class Counted(MemoryRegistry):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        self.asked.append(f"manifest {reference}")
        return await super().manifest(repository, reference)

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        self.asked.append("blob")
        async for chunk in super().blob(repository, descriptor):
            yield chunk

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        self.asked.append("has")
        return await super().has_blob(repository, digest)

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        self.asked.append(f"put {reference}")
        await super().push_manifest(repository, reference, document)


def push(body: bytes, *sources: Repository) -> Push:
    async def chunks() -> AsyncIterator[bytes]:
        yield body[:2]
        yield body[2:]

    return Push(Descriptor(LAYER, digest_of(body), len(body)), chunks, sources)


@pytest.fixture
def under() -> Counted:
    return Counted()


@pytest.fixture
async def image(under: Counted) -> Document:
    """One that is there, put by somebody else."""
    layer, config = push(b"layer"), push(b"config")
    for one in (layer, config):
        await under.push_blob(HERE, one)
    found = encode(ImageManifest(Descriptor(CONFIG, config.descriptor.digest, 6), (layer.descriptor,)))
    await under.push_manifest(HERE, "tag", found)
    under.asked.clear()
    return found


async def read(registry: Recalling, repository: Repository, body: bytes) -> bytes:
    return b"".join([chunk async for chunk in registry.blob(repository, push(body).descriptor)])


async def test_what_a_digest_means_is_asked_once(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    for _ in range(2):
        assert await registry.manifest(HERE, image.digest) == image
        found = await registry.head(HERE, image.digest)
        assert found == Descriptor(image.media_type, image.digest, len(image.body))
    assert under.asked == [f"manifest {image.digest}"]


async def test_what_is_not_there_is_asked_each_time(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    assert await registry.manifest(THERE, image.digest) is None
    assert await registry.head(THERE, image.digest) is None
    assert len(under.asked) == 2


async def test_what_a_tag_means_is_asked_each_time(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    assert await registry.manifest(HERE, "tag") == image
    del under.shelves[HERE].tags["tag"]
    assert await registry.manifest(HERE, "tag") is None
    assert await registry.head(HERE, "tag") is None


async def test_a_manifest_is_put_once_under_its_digest_and_each_time_under_a_tag(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    for reference in (image.digest, image.digest, "tag", "tag"):
        await registry.push_manifest(HERE, reference, image)
    assert under.asked == [f"put {image.digest}", "put tag", "put tag"]


async def test_a_small_blob_is_read_once_and_from_each_repository_that_has_it(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    assert [await read(registry, HERE, b"layer") for _ in range(2)] == [b"layer", b"layer"]
    assert under.asked == ["blob"]
    with pytest.raises(RegistryFault):
        await read(registry, THERE, b"layer")


async def test_a_blob_is_put_once_and_what_was_put_is_known(under: Counted) -> None:
    registry = Recalling(under)
    assert await registry.push_blob(HERE, push(b"new"))
    asked = len(under.asked)
    assert not await registry.push_blob(HERE, push(b"new"))
    assert await registry.has_blob(HERE, push(b"new").descriptor.digest)
    assert await read(registry, HERE, b"new") == b"new"
    assert len(under.asked) == asked


async def test_large_blobs_are_not_kept_and_all_together_are_bounded(under: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "SMALL", 8)
    monkeypatch.setattr(recalling, "MOST", 12)
    registry = Recalling(under)
    for body in (b"123456789", b"first 8.", b"second"):
        await registry.push_blob(HERE, push(body))
    under.asked.clear()
    assert await read(registry, HERE, b"second") == b"second"
    assert under.asked == []
    assert [await read(registry, HERE, body) for body in (b"123456789", b"first 8.")] == [b"123456789", b"first 8."]
    assert under.asked == ["blob", "blob"]


async def test_a_refused_manifest_has_it_look_again_at_what_is_there(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    await registry.push_blob(HERE, push(b"layer"))
    del under.shelves[HERE].blobs[push(b"layer").descriptor.digest]
    with pytest.raises(RegistryFault):
        await registry.push_manifest(HERE, image.digest, image)
    assert await registry.push_blob(HERE, push(b"layer"))
    await registry.push_manifest(HERE, image.digest, image)


async def test_what_is_deleted_is_not_known_any_more(under: Counted, image: Document) -> None:
    registry = Recalling(under)
    assert await registry.manifest(HERE, image.digest)
    assert await registry.delete(HERE, image.digest)
    assert await registry.manifest(HERE, image.digest) is None
