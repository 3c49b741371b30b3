"""Publishing, mirroring, tagging and the cache by key: nothing is ever half there, and what moved under us is noticed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.manifest import encode
from pipelines.core.tags import key_tag
from pipelines.flow.attach import attach
from pipelines.flow.cache import Hit, Miss, Settled, look_up, settle, take
from pipelines.flow.mirror import mirror
from pipelines.flow.publish import Package, publish
from pipelines.flow.reading import missing_blobs, read_config, read_image
from pipelines.flow.retag import retag
from pipelines.model.oci import EMPTY, Descriptor, Document, ImageIndex, ImageManifest, Pinned, Repository
from pipelines.ports import Denied, Push, RegistryFault, Unreachable
from tests.images.registry.conftest import Place
from tests.images.registry.goods import Image, attachment, digest, index, push_of

KEY = "sha256:" + "5" * 64
TAG = key_tag(KEY)
AMD = "linux/amd64"


def package(image: Image) -> Package:
    return Package(image.document, image.chunks)


class Watched(MemoryRegistry):
    """A registry in memory that lets a test step in before each call, and remembers what was called."""

    def __init__(self, **more: bool) -> None:
        super().__init__(**more)
        self.calls: list[tuple[str, Repository, str]] = []
        self.before = lambda name, repository, what: None
        self.working = self.most = 0

    def _step(self, name: str, repository: Repository, what: str) -> None:
        self.calls.append((name, repository, what))
        self.before(name, repository, what)

    def put(self, name: str) -> list[str]:
        return [what for called, _, what in self.calls if called == name]

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        self._step("head", repository, reference)
        return await super().head(repository, reference)

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        self._step("push_blob", repository, push.descriptor.digest)
        self.working += 1
        self.most = max(self.most, self.working)
        try:
            await asyncio.sleep(0)
            return await super().push_blob(repository, push)
        finally:
            self.working -= 1

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        self._step("push_manifest", repository, reference)
        await super().push_manifest(repository, reference, document)


HOME, CACHE = Repository("registry.example", "acme/web"), Repository("registry.example", "cache/web")


# Publishing


async def test_published_image_stands_by_digest_without_a_tag(place: Place):
    repository, image = place.repository(), Image()
    done = await publish(place.registry, package(image), repository)
    assert done.pinned == Pinned(repository, image.document.digest)
    assert (done.blobs, done.bytes) == (3, sum(map(len, image.blobs.values())))
    assert await place.registry.tags(repository) == ()
    found = await read_image(place.registry, repository, image.document.digest, AMD)
    assert await missing_blobs(place.registry, found) == ()
    assert (await read_config(place.registry, found)).run == {"User": "fleet"}


async def test_layers_of_the_parent_are_mounted_and_published_again_nothing_is_sent(place: Place):
    parent, child = place.repository("base"), place.repository("web")
    base = Image(os.urandom(5000))
    await publish(place.registry, package(base), parent)
    image = Image(*base.layers, b"code" * 10)
    done = await publish(place.registry, package(image), child, [parent])
    assert (done.blobs, done.bytes) == (2, 40 + len(image.config.body))
    assert (await publish(place.registry, package(image), child, [parent])).blobs == 0


async def test_blobs_go_side_by_side_but_not_all_at_once():
    registry = Watched()
    await publish(registry, package(Image(*(bytes([number]) for number in range(20)))), HOME)
    assert registry.most == 4
    assert [name for name, _, _ in registry.calls][-1] == "push_manifest"


async def test_blob_that_fails_leaves_no_manifest_and_ends_the_others():
    registry, image = Watched(), Image(*(bytes([number]) for number in range(20)))

    def fail(name: str, _: Repository, what: str) -> None:
        if what == digest(b"\x05"):
            raise Unreachable("cut")

    registry.before = fail
    with pytest.raises(Unreachable, match="cut"):
        await publish(registry, package(image), HOME, tag="v1")
    assert registry.put("push_manifest") == []
    assert await registry.tags(HOME) == ()
    assert len(registry.put("push_blob")) < 20


async def test_publishing_that_is_cancelled_leaves_no_tag():
    registry, begun = Watched(), asyncio.Event()

    async def never(_: Descriptor) -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    task = asyncio.create_task(publish(registry, Package(Image().document, never), HOME, tag="v1"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await registry.tags(HOME) == ()
    assert registry.working == 0


async def test_index_is_not_published_as_an_image(place: Place):
    with pytest.raises(RegistryFault, match="an index, where an image should be"):
        await publish(place.registry, Package(index(amd64=Image()), Image().chunks), place.repository())


# Reading


async def test_image_of_a_platform_is_found_through_an_index(place: Place):
    repository = place.repository()
    amd, arm = Image(), Image(architecture="arm64")
    for image in (amd, arm):
        await image.into(place.registry, repository)
    await place.registry.push_manifest(repository, "v1", index(amd64=amd, arm64=arm))
    assert (await read_image(place.registry, repository, "v1", "linux/arm64")).pinned == Pinned(repository, arm.document.digest)
    with pytest.raises(RegistryFault, match="nothing for linux/s390x, only for linux/amd64, linux/arm64"):
        await read_image(place.registry, repository, "v1", "linux/s390x")


async def test_image_that_is_not_there_is_a_404(place: Place):
    with pytest.raises(RegistryFault) as fault:
        await read_image(place.registry, place.repository(), "v1", AMD)
    assert fault.value.status == 404


async def test_index_of_indexes_is_no_image():
    registry = MemoryRegistry()
    inner = index(amd64=await Image().into(registry, HOME))
    await registry.push_manifest(HOME, inner.digest, inner)
    outer = encode(ImageIndex((Descriptor(inner.media_type, inner.digest, len(inner.body), platform=AMD),)))
    await registry.push_manifest(HOME, "v1", outer)
    with pytest.raises(RegistryFault, match="index of indexes"):
        await read_image(registry, HOME, "v1", AMD)


async def test_configuration_for_another_number_of_layers_is_refused():
    registry, image = MemoryRegistry(), Image(b"a", b"b")
    await image.into(registry, HOME)
    found = await read_image(registry, HOME, image.document.digest, AMD)
    short = encode(ImageManifest(found.manifest.config, found.manifest.layers[:1]))
    await registry.push_manifest(HOME, "v1", short)
    with pytest.raises(RegistryFault, match="1 layers, and a configuration for 2"):
        await read_config(registry, await read_image(registry, HOME, "v1", AMD))


# Mirroring


async def test_mirror_copies_between_registries_byte_for_byte(place: Place, registry_host: str):
    source, target = place.repository("upstream"), Repository(registry_host, place.repository("mirror").path)
    amd, arm = Image(), Image(architecture="arm64")
    for image in (amd, arm):
        await image.into(place.registry, source)
    both = index(amd64=amd, arm64=arm)
    await place.registry.push_manifest(source, "v1", both)
    done = await mirror(place.registry, Pinned(source, both.digest), target)
    assert await place.registry.manifest(target, done.pinned.digest) == both
    assert done.blobs == (0 if place.real else 6)
    for platform in (AMD, "linux/arm64"):
        assert await missing_blobs(place.registry, await read_image(place.registry, target, both.digest, platform)) == ()


async def test_mirror_of_one_platform_takes_only_that(place: Place):
    source, target = place.repository("upstream"), place.repository("mirror")
    amd = await Image().into(place.registry, source)
    arm = await Image(architecture="arm64").into(place.registry, source)
    both = index(amd64=amd, arm64=arm)
    await place.registry.push_manifest(source, "v1", both)
    done = await mirror(place.registry, Pinned(source, both.digest), target, "linux/arm64")
    assert done.pinned == Pinned(target, arm.document.digest)
    assert await place.registry.manifest(target, amd.document.digest) is None


async def test_tag_that_moves_under_us_changes_nothing_that_was_pinned(place: Place):
    source, target = place.repository("upstream"), place.repository("mirror")
    old = await Image().into(place.registry, source, "v1")
    pinned = Pinned(source, (await place.registry.head(source, "v1")).digest)
    await Image().into(place.registry, source, "v1")
    assert (await mirror(place.registry, pinned, target)).pinned.digest == old.document.digest


# Tags


async def test_labels_are_put_on_what_is_there(place: Place):
    repository = place.repository()
    old, new = await Image().into(place.registry, repository), await Image().into(place.registry, repository)
    await retag(
        place.registry, repository, {"20261121-1a2b3c4": new.document.digest, "stable": new.document.digest, "prev": old.document.digest}
    )
    assert await place.registry.head(repository, "stable") == new.descriptor
    assert await place.registry.head(repository, "prev") == old.descriptor
    assert len(await place.registry.tags(repository)) == 3


async def test_no_label_moves_where_one_image_is_missing(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository, "stable")
    new = await Image().into(place.registry, repository)
    with pytest.raises(RegistryFault) as fault:
        await retag(place.registry, repository, {"stable": new.document.digest, "prev": KEY})
    assert fault.value.status == 404
    assert await place.registry.head(repository, "stable") == image.descriptor


# The cache by key


async def test_key_that_was_settled_is_a_hit_and_can_be_taken(place: Place):
    home, cache, again = place.repository("web"), place.repository("cache"), place.repository("again")
    assert await look_up(place.registry, cache, KEY) == Miss("not in cache")
    image = Image()
    made = (await publish(place.registry, package(image), home)).pinned
    assert await settle(place.registry, made, cache, KEY) == Settled(made, is_ours=True)
    hit = await look_up(place.registry, cache, KEY)
    assert hit == Hit(Pinned(cache, image.document.digest))
    assert await take(place.registry, hit, again) == Pinned(again, image.document.digest)
    assert await missing_blobs(place.registry, await read_image(place.registry, again, image.document.digest, AMD)) == ()


@pytest.mark.parametrize("fault", [Unreachable("cut"), Denied("no", status=403), RegistryFault("broken", status=500)])
async def test_cache_that_cannot_be_asked_is_a_miss(fault: RegistryFault):
    registry = Watched()

    def fail(*_: object) -> None:
        raise fault

    registry.before = fail
    assert await look_up(registry, CACHE, KEY) == Miss(f"the cache could not be asked: {fault}")


async def lose(place: Place, repository: Repository, blob: str) -> None:
    """A blob goes, its manifest stays: what a clean-up that knows half the story leaves behind."""
    if not place.real:
        del place.registry.shelves[repository].blobs[blob]
        return
    from pipelines.adapters.registry.transport import Ask

    answer = await place.registry._transport.ask(Ask("DELETE", repository, f"blobs/{blob}", "lose a blob", actions="delete"))
    assert answer.status == 202


async def test_entry_whose_blob_is_gone_is_a_hit_that_turns_out_a_miss_and_is_mended(place: Place):
    home, cache, image = place.repository("web"), place.repository("cache"), Image()
    made = (await publish(place.registry, package(image), home)).pinned
    await settle(place.registry, made, cache, KEY)
    lost = digest(image.layers[0])
    await lose(place, cache, lost)
    hit = await look_up(place.registry, cache, KEY)
    assert isinstance(hit, Hit)
    elsewhere = place.repository("elsewhere")
    missed = await take(place.registry, hit, elsewhere)
    assert isinstance(missed, Miss)
    assert "not whole any more" in missed.reason
    assert await place.registry.manifest(elsewhere, image.document.digest) is None, "half an image was pushed"

    rebuilt = Image(os.urandom(500))
    remade = (await publish(place.registry, package(rebuilt), place.repository("web"))).pinned
    assert await settle(place.registry, remade, cache, KEY) == Settled(remade, is_ours=True), "the broken entry counted"
    assert await place.registry.head(cache, TAG) == rebuilt.descriptor


async def test_entry_that_lost_a_blob_is_mended_by_the_same_image(place: Place):
    home, cache, image = place.repository("web"), place.repository("cache"), Image()
    made = (await publish(place.registry, package(image), home)).pinned
    await settle(place.registry, made, cache, KEY)
    await lose(place, cache, digest(image.layers[0]))
    assert await settle(place.registry, made, cache, KEY) == Settled(made, is_ours=True)
    assert await missing_blobs(place.registry, await read_image(place.registry, cache, TAG, AMD)) == ()


async def test_second_of_two_builds_of_one_key_takes_the_first(place: Place):
    first_home, second_home, cache = place.repository("web"), place.repository("web"), place.repository("cache")
    first, second = Image(), Image()
    made = [(await publish(place.registry, package(image), home)).pinned for image, home in ((first, first_home), (second, second_home))]
    assert await settle(place.registry, made[0], cache, KEY) == Settled(made[0], is_ours=True)
    assert await settle(place.registry, made[1], cache, KEY) == Settled(Pinned(second_home, first.document.digest), is_ours=False)
    assert await missing_blobs(place.registry, await read_image(place.registry, second_home, first.document.digest, AMD)) == ()


async def test_builds_that_put_their_key_in_the_same_moment_agree():
    registry = Watched()
    ours, theirs = Image(), Image()
    await theirs.into(registry, CACHE)
    made = (await publish(registry, package(ours), HOME)).pinned

    def overtaken(name: str, repository: Repository, what: str) -> None:
        """The other one's tag comes right after ours."""
        if name == "head" and what == TAG and registry.put("push_manifest")[-1] == TAG:
            registry.shelves[CACHE].tags[TAG] = theirs.document.digest

    registry.before = overtaken
    settled = await settle(registry, made, CACHE, KEY)
    assert settled == Settled(Pinned(HOME, theirs.document.digest), is_ours=False)
    assert theirs.document.digest in registry.shelves[HOME].manifests


async def test_six_builds_of_one_key_at_once_leave_one_whole_image(place: Place):
    cache, images = place.repository("cache"), [Image(os.urandom(200)) for _ in range(6)]
    homes = [place.repository("web") for _ in images]
    made = [(await publish(place.registry, package(image), home)).pinned for image, home in zip(images, homes, strict=True)]
    settled = await asyncio.gather(*(settle(place.registry, one, cache, KEY) for one in made))
    stands = (await place.registry.head(cache, TAG)).digest
    assert stands in {one.pinned.digest for one in settled}
    assert await missing_blobs(place.registry, await read_image(place.registry, cache, TAG, AMD)) == ()
    for one in settled:
        assert await missing_blobs(place.registry, await read_image(place.registry, one.pinned.repository, one.pinned.digest, AMD)) == ()


async def test_taking_from_a_registry_that_refuses_us_is_no_miss():
    registry, image = Watched(), Image()
    await image.into(registry, CACHE, TAG)

    def fail(name: str, repository: Repository, _: str) -> None:
        if name == "push_blob" and repository == HOME:
            raise Denied("no", status=403)

    registry.before = fail
    with pytest.raises(Denied):
        await take(registry, Hit(Pinned(CACHE, image.document.digest)), HOME)


# Attachments


def sbom(subject: Descriptor, note: str = "") -> Package:
    async def source(_: Descriptor) -> AsyncIterator[bytes]:
        yield b"{}"

    return Package(attachment(subject, note=note), source)


async def test_what_is_attached_is_there_and_listed(place: Place):
    repository = place.repository()
    image = await Image().into(place.registry, repository)
    packages = [sbom(image.descriptor, str(number)) for number in range(4)]
    await attach(place.registry, Pinned(repository, image.document.digest), packages)
    listed = {one.digest for one in await place.registry.referrers(repository, image.document.digest)}
    assert listed == {one.document.digest for one in packages}
    assert await place.registry.has_blob(repository, digest(b"{}"))


async def test_what_belongs_to_another_image_is_not_attached(place: Place):
    with pytest.raises(RegistryFault, match="does not belong"):
        await attach(place.registry, Pinned(place.repository(), KEY), [sbom(Image().descriptor)])


async def test_attachment_that_another_job_took_off_the_list_is_attached_again():
    registry, image = MemoryRegistry(has_referrers=False), Image()
    await image.into(registry, HOME)
    pinned = Pinned(HOME, image.document.digest)
    looks, inner = [], registry.referrers

    async def stolen(repository: Repository, wanted: str) -> tuple[Descriptor, ...]:
        looks.append(wanted)
        if len(looks) == 1:
            del registry.shelves[HOME].tags[wanted.replace(":", "-")]
        return await inner(repository, wanted)

    registry.referrers = stolen
    await attach(registry, pinned, [sbom(image.descriptor, "a"), sbom(image.descriptor, "b")])
    assert len(await inner(HOME, image.document.digest)) == 2
    assert len(looks) == 2


async def test_empty_artifacts_share_one_blob(place: Place):
    repository = place.repository()
    assert await place.registry.push_blob(repository, push_of(b"{}", media_type=EMPTY))
    assert not await place.registry.push_blob(repository, push_of(b"{}", media_type=EMPTY))
