"""An image is carried to another repository with all that hangs on it; what hangs there stays, and what lies about belonging does not come."""

from __future__ import annotations

import pytest

from pipelines.adapters.memory import MemoryRegistry
from pipelines.adapters.memory import Shelf as Repositories
from pipelines.core.manifest import encode
from pipelines.core.signature import signature_tag
from pipelines.core.tags import fallback_tag
from pipelines.flow.carry import carry
from pipelines.flow.sign import sign
from pipelines.flow.verify import verify
from pipelines.model.oci import Descriptor, ImageIndex, Pinned, Repository
from pipelines.model.trust import Subject, Verified
from pipelines.ports import RegistryFault
from tests.pipelines.signing.scene import TODAY, key, signed, trusted
from tests.pipelines.signing.shelf import HOME, Shelf

THERE = Repository("other.test", "live/web")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def verified(shelf: MemoryRegistry, subject: Subject, *names: str) -> bool:
    there = Subject(subject.image, Pinned(THERE, subject.at.digest), subject.verdict, subject.sbom)
    return isinstance((await verify(shelf, [there], [trusted(name) for name in names], TODAY))[there], Verified)


async def test_what_verified_here_verifies_there(shelf):
    subject = await signed(shelf)
    assert await carry(shelf, subject.at, THERE) == Pinned(THERE, subject.at.digest)
    assert await verified(shelf, subject, "release")


async def test_carrying_again_writes_nothing(shelf):
    subject = await signed(shelf)
    await carry(shelf, subject.at, THERE)
    before = (set(shelf.shelves[THERE].manifests), dict(shelf.shelves[THERE].tags))
    await carry(shelf, subject.at, THERE)
    assert (set(shelf.shelves[THERE].manifests), dict(shelf.shelves[THERE].tags)) == before


async def test_signatures_that_were_made_there_stay_beside_those_that_come(shelf):
    subject = await signed(shelf)
    await carry(shelf, subject.at, THERE)
    await shelf.delete(THERE, signature_tag(subject.at.digest))
    await sign(shelf, Pinned(THERE, subject.at.digest), [], key("live"))
    assert not await verified(shelf, subject, "release")
    await carry(shelf, subject.at, THERE)
    assert await verified(shelf, subject, "release")
    layers = (await shelf.manifest(THERE, signature_tag(subject.at.digest))).body.count(b"dev.cosignproject.cosign/signature")
    assert layers == 2


async def test_an_index_comes_with_its_images_and_their_papers(shelf):
    subject = await signed(shelf)
    document = shelf.at(subject.at.digest)
    index = encode(ImageIndex((Descriptor(document.media_type, document.digest, len(document.body), platform="linux/amd64"),)))
    shelf.home.manifests[index.digest] = index
    await carry(shelf, Pinned(HOME, index.digest), THERE)
    assert {index.digest, document.digest} <= set(shelf.shelves[THERE].manifests)
    assert await verified(shelf, subject, "release")


async def test_a_paper_that_is_only_listed_here_does_not_come(shelf):
    subject = await signed(shelf)
    other = await signed(shelf, "other")
    shelf._has_referrers = False
    document = shelf.at(other.at.digest)
    listed = encode(ImageIndex((Descriptor(document.media_type, document.digest, len(document.body)),)))
    shelf.home.manifests[listed.digest] = listed
    shelf.home.tags[fallback_tag(subject.at.digest)] = listed.digest
    await carry(shelf, subject.at, THERE)
    assert other.at.digest not in shelf.shelves.get(THERE, Repositories()).manifests


async def test_signatures_that_cannot_be_read_end_it(shelf):
    subject = await signed(shelf)
    shelf.forge(signature_tag(subject.at.digest), b"{}")
    with pytest.raises(RegistryFault, match=r"manifest of signatures cannot be read"):
        await carry(shelf, subject.at, THERE)
