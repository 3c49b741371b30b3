"""A real registry behind a line that fails at random: whatever happens, no tag names half an image, and no attachment is lost."""

from __future__ import annotations

import asyncio
import http.client
import random
from collections.abc import AsyncIterator

import pytest

from pipelines.flow.attach import attach
from pipelines.flow.cache import Hit, Miss, look_up, settle, take
from pipelines.flow.publish import Package, publish
from pipelines.flow.reading import missing_blobs, read_image
from pipelines.flow.retag import retag
from pipelines.model.oci import Document, Repository
from pipelines.ports import RegistryFault
from tests.images.registry.conftest import Place
from tests.images.registry.goods import Image, attachment, chunks
from tests.images.registry.hostile import Hostile, Reply, Seen, hostile

KEY = "7" * 64
KEPT = ("content-type", "docker-content-digest", "location", "link", "range", "content-range", "oci-subject")


class Line:
    """Hands requests on to a registry. `worse` is the chance that something goes wrong on the way there, and again on the way back."""

    def __init__(self, server: Hostile, behind: str, seed: int, worse: float) -> None:
        self.server, self.behind, self.worse = server, behind, worse
        self.chance = random.Random(seed)
        server.play = self.play

    def play(self, seen: Seen) -> Reply:
        if self.chance.random() < self.worse:
            return self.chance.choice(
                [Reply(cut=True), Reply(503), Reply(429, [("Retry-After", "0")]), Reply(500), Reply(502, body=b"<html>")]
            )
        connection = http.client.HTTPConnection(self.behind, timeout=10)
        headers = {name: value for name, value in seen.headers.items() if name not in ("connection", "content-length", "host")}
        connection.request(seen.method, seen.target, seen.body, headers | {"Host": self.server.host})
        answer = connection.getresponse()
        reply = Reply(answer.status, [(name, value) for name, value in answer.getheaders() if name.lower() in KEPT], answer.read())
        if seen.method == "HEAD":
            reply.promise = int(answer.headers.get("Content-Length", 0))
        connection.close()
        if self.chance.random() < self.worse:
            return self.spoiled(reply)
        return reply

    def spoiled(self, reply: Reply) -> Reply:
        """It did what was asked, and we do not hear of it, or hear half."""
        if not reply.body or self.chance.random() < 0.5:
            return Reply(cut=True)
        kept = self.chance.randrange(len(reply.body))
        if self.chance.random() < 0.5:
            return Reply(reply.status, reply.headers, reply.body[:kept], promise=len(reply.body), cut=True)
        flipped = bytearray(reply.body)
        flipped[kept] ^= 1
        return Reply(reply.status, reply.headers, bytes(flipped))


@pytest.fixture
async def line() -> AsyncIterator[Hostile]:
    async with hostile() as server:
        yield server


def over(line: Hostile, repository: Repository) -> Repository:
    """The same repository, asked for over the line."""
    return Repository(line.host, repository.path)


async def is_whole(real: Place, repository: Repository, reference: str) -> bool:
    return await missing_blobs(real.registry, await read_image(real.registry, repository, reference, "linux/amd64")) == ()


def attached_to(image: Image) -> list[Document]:
    return [attachment(image.descriptor, note=str(number)) for number in range(2)]


async def build(real: Place, image: Image, web: Repository, cache: Repository) -> str:
    """What a build does with a registry, from its image to its labels; the digest that counts."""
    registry = real.registry
    hit = await look_up(registry, cache, KEY)
    taken = await take(registry, hit, web) if isinstance(hit, Hit) else hit
    if isinstance(taken, Miss):
        made = await publish(registry, Package(image.document, image.chunks), web)
        taken = (await settle(registry, made.pinned, cache, KEY)).pinned
    if taken.digest == image.document.digest:
        await attach(registry, taken, [Package(document, lambda _: chunks(b"{}")()) for document in attached_to(image)])
    await retag(registry, web, {"20261121-1a2b3c4": taken.digest, "stable": taken.digest})
    return taken.digest


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_line_does_no_tag_names_half_an_image(real: Place, line: Hostile, seed: int):
    Line(line, real.host, seed, worse=0.04 + 0.02 * (seed % 4))
    web, cache, images = real.repository("web"), real.repository("cache"), [Image(), Image()]
    done = await asyncio.gather(*(build(real, image, over(line, web), over(line, cache)) for image in images), return_exceptions=True)
    for outcome in done:
        assert isinstance(outcome, str | RegistryFault), repr(outcome)
        if isinstance(outcome, RegistryFault):
            assert str(outcome).isprintable()
    for repository in (web, cache):
        for tag in await real.registry.tags(repository):
            assert tag.startswith("sha256-") or await is_whole(real, repository, tag)
    for outcome, image in zip(done, images, strict=True):
        if isinstance(outcome, str):
            assert await is_whole(real, web, outcome)
        if outcome == image.document.digest:
            listed = {one.digest for one in await real.registry.referrers(web, outcome)}
            assert listed == {document.digest for document in attached_to(image)}


async def test_over_a_good_line_all_of_it_works(real: Place, line: Hostile):
    Line(line, real.host, 0, worse=0.0)
    web, cache, image = real.repository("web"), real.repository("cache"), Image()
    for _ in range(2):
        assert await build(real, image, over(line, web), over(line, cache)) == image.document.digest
    assert set(await real.registry.tags(web)) == {"20261121-1a2b3c4", "stable", image.document.digest.replace(":", "-")}
