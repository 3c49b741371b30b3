"""What every registry does, whichever it is."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from pipelines.core.tags import fallback_tag
from pipelines.model.oci import INDEX, Descriptor, Repository
from pipelines.ports import Push, RegistryFault, WrongDigest
from tests.images.registry.conftest import Place
from tests.images.registry.goods import Image, attachment, chunks, described, digest, gather, index, push_of

NOWHERE = "sha256:" + "0" * 64


async def test_nothing_is_where_nothing_was_put(place: Place):
    nowhere = place.repository("nothing")
    assert await place.registry.head(nowhere, "latest") is None
    assert await place.registry.manifest(nowhere, NOWHERE) is None
    assert not await place.registry.has_blob(nowhere, NOWHERE)
    assert await place.registry.tags(nowhere) == ()
    assert await place.registry.referrers(nowhere, NOWHERE) == ()
    assert not await place.registry.delete(nowhere, NOWHERE)


async def test_blob_comes_back_as_it_went(place: Place):
    repository, body = place.repository(), os.urandom(300_000)
    assert await place.registry.push_blob(repository, push_of(body))
    assert await place.registry.has_blob(repository, digest(body))
    assert await gather(place.registry.blob(repository, described(body))) == body


async def test_blob_of_no_bytes_is_a_blob(place: Place):
    repository = place.repository()
    assert await place.registry.push_blob(repository, push_of(b""))
    assert await gather(place.registry.blob(repository, described(b""))) == b""


async def test_blob_that_is_there_is_not_sent_again(place: Place):
    repository = place.repository()
    await place.registry.push_blob(repository, push_of(b"layer"))

    async def never():
        raise AssertionError("it was read again")
        yield b""

    assert not await place.registry.push_blob(repository, Push(described(b"layer"), never))


async def test_blob_of_another_repository_is_mounted(place: Place):
    source, target, body = place.repository("base"), place.repository(), os.urandom(2000)
    await place.registry.push_blob(source, push_of(body))
    empty, elsewhere = place.repository("empty"), Repository("elsewhere.example", "base")
    assert not await place.registry.push_blob(target, push_of(body, elsewhere, empty, source))
    assert await gather(place.registry.blob(target, described(body))) == body


async def test_blob_that_cannot_be_mounted_is_sent(place: Place):
    target, body = place.repository(), os.urandom(2000)
    assert await place.registry.push_blob(target, push_of(body, place.repository("empty")))
    assert await gather(place.registry.blob(target, described(body))) == body


@pytest.mark.parametrize("wrong", [b"layer", b"layers of another kind", b"lager of some kinds"])
async def test_blob_with_other_bytes_than_promised_is_not_stored(place: Place, wrong: bytes):
    repository, promised = place.repository(), described(b"layer of some kinds")
    with pytest.raises(WrongDigest, match=promised.digest):
        await place.registry.push_blob(repository, Push(promised, chunks(wrong, 5)))
    assert not await place.registry.has_blob(repository, promised.digest)


@pytest.mark.parametrize("size", [4, 6])
async def test_blob_of_another_size_than_its_descriptor_says_is_refused(place: Place, size: int):
    repository = place.repository()
    await place.registry.push_blob(repository, push_of(b"layer"))
    with pytest.raises(WrongDigest):
        await gather(place.registry.blob(repository, Descriptor("x/y", digest(b"layer"), size)))


async def test_blob_that_is_gone_is_a_404(place: Place):
    repository = place.repository()
    await place.registry.push_blob(repository, push_of(b"another"))
    with pytest.raises(RegistryFault) as fault:
        await gather(place.registry.blob(repository, described(b"gone")))
    assert fault.value.status == 404


async def test_manifest_comes_back_as_it_went_by_tag_and_by_digest(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    for reference in ("v1", image.document.digest):
        assert await place.registry.manifest(repository, reference) == image.document
        assert await place.registry.head(repository, reference) == image.descriptor
    assert await place.registry.tags(repository) == ("v1",)


async def test_tag_moves_and_the_digest_stays(place: Place):
    repository = place.repository()
    old, new = await Image().into(place.registry, repository, "v1"), await Image().into(place.registry, repository, "v1")
    assert await place.registry.head(repository, "v1") == new.descriptor
    assert await place.registry.manifest(repository, old.document.digest) == old.document


async def test_manifest_whose_blobs_are_missing_is_refused(place: Place):
    repository, image = place.repository(), Image()
    await place.registry.push_blob(repository, push_of(image.config.body))
    with pytest.raises(RegistryFault):
        await place.registry.push_manifest(repository, "v1", image.document)
    assert await place.registry.head(repository, "v1") is None


async def test_manifest_under_the_digest_of_another_is_refused(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository)
    with pytest.raises(WrongDigest):
        await place.registry.push_manifest(repository, NOWHERE, image.document)


@pytest.mark.parametrize("reference", ["", "a/b", "-a", "../../v1", "v1?x=y", "sha256:12", "a" * 129])
async def test_reference_that_is_neither_tag_nor_digest_reaches_no_registry(place: Place, reference: str):
    with pytest.raises(RegistryFault, match="neither tag nor digest"):
        await place.registry.manifest(place.repository(), reference)


async def test_index_needs_its_manifests_and_comes_back(place: Place):
    repository = place.repository()
    one, other = Image(), Image(architecture="arm64")
    both = index(amd64=one, arm64=other)
    await one.into(place.registry, repository)
    with pytest.raises(RegistryFault):
        await place.registry.push_manifest(repository, "v1", both)
    await other.into(place.registry, repository)
    await place.registry.push_manifest(repository, "v1", both)
    assert await place.registry.manifest(repository, "v1") == both
    assert (await place.registry.head(repository, "v1")).media_type == INDEX


async def test_what_is_attached_is_listed_with_its_kind_and_annotations(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    await place.registry.push_blob(repository, push_of(b"{}"))
    sbom, verdict = attachment(image.descriptor, note="first"), attachment(image.descriptor, "application/vnd.example.verdict")
    for document in (sbom, verdict, sbom):
        await place.registry.attach(repository, document)
    found = {one.digest: one for one in await place.registry.referrers(repository, image.document.digest)}
    assert set(found) == {sbom.digest, verdict.digest}
    assert found[sbom.digest].artifact_type == "application/vnd.example.sbom"
    assert found[sbom.digest].annotations == {"note": "first"}
    assert found[sbom.digest].size == len(sbom.body)
    assert await place.registry.manifest(repository, sbom.digest) == sbom


async def test_what_is_attached_in_one_go_is_all_listed_beside_what_was(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    await place.registry.push_blob(repository, push_of(b"{}"))
    documents = [attachment(image.descriptor, note=str(number)) for number in range(4)]
    seen = await place.registry.attach(repository, documents[0]) | await place.registry.attach(repository, *documents)
    listed = [one.digest for one in await place.registry.referrers(repository, image.document.digest)]
    assert sorted(listed) == sorted(document.digest for document in documents)
    assert seen <= set(listed)


async def test_attachments_of_many_at_once_are_all_listed(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    await place.registry.push_blob(repository, push_of(b"{}"))
    documents = [attachment(image.descriptor, note=str(number)) for number in range(10)]
    await asyncio.gather(*(place.registry.attach(repository, document) for document in documents))
    listed = {one.digest for one in await place.registry.referrers(repository, image.document.digest)}
    assert listed == {document.digest for document in documents}


async def test_manifest_without_subject_cannot_be_attached(place: Place):
    with pytest.raises(RegistryFault, match="subject"):
        await place.registry.attach(place.repository(), Image().document)


async def test_deleted_manifest_is_gone_with_its_tags(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1", "v2")
    assert await place.registry.delete(repository, image.document.digest)
    assert await place.registry.head(repository, "v1") is None
    assert await place.registry.manifest(repository, image.document.digest) is None
    assert await place.registry.tags(repository) == ()


async def test_registry_that_deletes_no_tags_says_so(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    with pytest.raises(RegistryFault) as fault:
        await place.registry.delete(repository, "v1")
    assert fault.value.code == "UNSUPPORTED"
    assert await place.registry.head(repository, "v1") == image.descriptor


async def test_all_of_many_tags_are_found(place: Place):
    repository, image = place.repository(), Image()
    tags = tuple(f"t{number:04}" for number in range(30))
    await image.into(place.registry, repository, *tags)
    assert await place.registry.tags(repository) == tags


async def test_manifest_by_sha512_is_checked_by_it(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "v1")
    strong = "sha512:" + hashlib.sha512(image.document.body).hexdigest()
    assert await place.registry.manifest(repository, strong) is None, "this registry names manifests by sha256"
    assert fallback_tag(strong) == "sha512-" + strong[7:71]
