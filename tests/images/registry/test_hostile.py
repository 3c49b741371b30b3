"""Registries that fail, lie or attack: each ends in a sentence, soon, and without giving a login to anybody else."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pipelines.adapters.registry import KnownLogins, Login, OciRegistry, Settings
from pipelines.core.manifest import LIMIT
from pipelines.model.oci import INDEX, MANIFEST, Descriptor, Repository
from pipelines.ports import Denied, Push, RegistryFault, Unreachable, WrongDigest
from tests.images.registry.conftest import SOON
from tests.images.registry.goods import Image, attachment, chunks, described, digest, gather, push_of
from tests.images.registry.hostile import Hostile, Reply, Seen, hostile

SECRET = "pa55word"
BASIC = "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()
NASTY = "\x1b[31mred\x07\u202e" + "long " * 1000


@pytest.fixture
async def bad() -> AsyncIterator[Hostile]:
    async with hostile() as one:
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Hostile]:
    async with hostile() as one:
        yield one


@pytest.fixture
async def ours(bad: Hostile) -> AsyncIterator[OciRegistry]:
    registry = OciRegistry(Settings(KnownLogins({bad.host: Login("robot", SECRET)}), pace=SOON))
    yield registry
    await registry.close()


def app(server: Hostile) -> Repository:
    return Repository(server.host, "acme/app")


def found(image: Image) -> Reply:
    return Reply(200, [("Content-Type", MANIFEST), ("Docker-Content-Digest", image.document.digest)], image.document.body)


def errors(code: str, message: str) -> bytes:
    return b'{"errors":[{"code":"%s","message":"%s"}]}' % (code.encode(), message.encode())


def challenge(header: str) -> Reply:
    return Reply(401, [("WWW-Authenticate", header)], errors("UNAUTHORIZED", "log in"))


class TokenServer:
    """A registry with a token server beside it, which gives `token-1`, `token-2`, ..."""

    def __init__(self, server: Hostile, behind: Reply) -> None:
        self.server, self.behind = server, behind
        self.valid = ""
        self.given = 0
        server.play = self.play

    def play(self, seen: Seen) -> Reply:
        if seen.path == "/token":
            self.given += 1
            self.valid = f"token-{self.given}"
            return Reply(200, body=b'{"token":"%s","expires_in":300}' % self.valid.encode())
        if seen.login == f"Bearer {self.valid}" and self.valid:
            return self.behind
        return challenge(f'Bearer realm="http://{self.server.host}/token",service="reg",scope="repository:acme/app:pull"')


# Logging in


async def test_token_is_fetched_once_for_all_that_need_it_at_once(bad, ours):
    image = Image()
    server = TokenServer(bad, found(image))
    heads = await asyncio.gather(*(ours.head(app(bad), "v1") for _ in range(9)))
    assert heads == [image.descriptor] * 9
    assert server.given == 1
    asked = bad.asked("GET", "/token")[0]
    assert asked.login == BASIC
    assert "service=reg" in asked.query
    assert "scope=repository%3Aacme%2Fapp%3Apull" in asked.query


async def test_second_request_brings_its_token_at_once(bad, ours):
    TokenServer(bad, found(Image()))
    await ours.head(app(bad), "v1")
    before = len(bad.seen)
    await ours.head(app(bad), "v2")
    assert len(bad.seen) == before + 1


async def test_host_whose_token_server_is_known_is_not_asked_for_it(bad):
    image = Image()
    registry = OciRegistry(Settings(KnownLogins({}), doors={bad.host: (f"http://{bad.host}/token", "reg")}, pace=SOON))
    TokenServer(bad, found(image))
    assert await registry.head(app(bad), "v1") == image.descriptor
    assert await registry.head(app(bad), "v2") == image.descriptor
    assert [one.path for one in bad.seen] == ["/token", "/v2/acme/app/manifests/v1", "/v2/acme/app/manifests/v2"]
    await registry.close()


async def test_host_that_moved_its_token_server_says_so(bad):
    image = Image()
    registry = OciRegistry(Settings(KnownLogins({}), doors={bad.host: (f"http://{bad.host}/old", "reg")}, pace=SOON))
    server = TokenServer(bad, found(image))
    bad.play = lambda seen: Reply(404) if seen.path == "/old" else server.play(seen)
    assert await registry.head(app(bad), "v1") == image.descriptor
    assert [one.path for one in bad.seen] == ["/old", "/v2/acme/app/manifests/v1", "/token", "/v2/acme/app/manifests/v1"]
    await registry.close()


async def test_token_that_is_refused_is_fetched_anew(bad, ours):
    image = Image()
    server = TokenServer(bad, found(image))
    await ours.head(app(bad), "v1")
    server.valid = "forgotten"
    assert await ours.head(app(bad), "v1") == image.descriptor
    assert server.given == 2


async def test_token_that_is_never_good_enough_is_denied(bad, ours):
    bad.play = lambda seen: (
        Reply(200, body=b'{"token":"x"}') if seen.path == "/token" else challenge(f'Bearer realm="http://{bad.host}/token"')
    )
    with pytest.raises(Denied, match="401"):
        await ours.head(app(bad), "v1")
    assert [one.path for one in bad.seen] == ["/v2/acme/app/manifests/v1", "/token", "/v2/acme/app/manifests/v1"]


async def test_mount_asks_for_both_repositories_in_one_token(bad, ours):
    TokenServer(bad, Reply(201))
    body = b"layer"
    bad_play = bad.play
    bad.play = lambda seen: Reply(404) if seen.method == "HEAD" else bad_play(seen)
    assert not await ours.push_blob(app(bad), push_of(body, Repository(bad.host, "acme/base")))
    assert bad.asked("GET", "/token")[-1].query.count("scope=") == 2


async def test_identity_token_is_exchanged_by_post(bad):
    registry = OciRegistry(Settings(KnownLogins({bad.host: Login("", "", "identity")}), pace=SOON))
    TokenServer(bad, found(Image()))
    assert await registry.head(app(bad), "v1")
    posted = bad.asked("POST", "/token")[0]
    assert b"grant_type=refresh_token" in posted.body
    assert b"refresh_token=identity" in posted.body
    assert posted.login == ""
    await registry.close()


async def test_basic_is_sent_once_it_is_asked_for(bad, ours):
    image = Image()
    bad.play = lambda seen: found(image) if seen.login == BASIC else challenge('Basic realm="x"')
    assert await ours.head(app(bad), "v1") == image.descriptor
    assert [one.login for one in bad.seen] == ["", BASIC]
    await ours.head(app(bad), "v1")
    assert bad.seen[-1].login == BASIC


async def test_wrong_password_is_denied_after_one_try(bad, ours):
    bad.play = lambda _: challenge('Basic realm="x"')
    with pytest.raises(Denied) as denied:
        await ours.head(app(bad), "v1")
    assert len(bad.seen) == 2
    assert "log in" in denied.value.fix
    with pytest.raises(Denied):
        await ours.head(app(bad), "v1")
    assert len(bad.seen) == 3, "a login that was refused is not sent twice"


@pytest.mark.parametrize("header", ["Negotiate", "", "Digest realm=x", '="'])
async def test_challenge_that_we_cannot_meet_is_denied(bad, ours, header):
    bad.play = lambda _: challenge(header)
    with pytest.raises(Denied):
        await ours.head(app(bad), "v1")
    assert all(not one.login for one in bad.seen)


@pytest.mark.parametrize("realm", ["http://evil.example/token", "ftp://127.0.0.1/", "//evil", "", "https://a:b@evil.example/", "http://["])
async def test_login_goes_to_no_token_server_without_tls(bad, ours, realm):
    bad.play = lambda _: challenge(f'Bearer realm="{realm}"')
    with pytest.raises(Denied, match="token server that gets no credentials"):
        await ours.head(app(bad), "v1")


async def test_login_is_never_sent_over_plain_http_to_another_machine(bad):
    logins = KnownLogins({"registry.example": Login("robot", SECRET)})
    proxied = Settings(logins, plain=frozenset({"registry.example"}), proxy=f"http://{bad.host}", pace=SOON)
    registry = OciRegistry(proxied)
    bad.play = lambda _: challenge('Basic realm="x"')
    with pytest.raises(Denied, match="plain HTTP"):
        await registry.head(Repository("registry.example", "acme/app"), "v1")
    assert [one.login for one in bad.seen] == [""]
    assert bad.seen[0].target == "http://registry.example/v2/acme/app/manifests/v1"
    await registry.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(500), Unreachable),
        (Reply(503), Unreachable),
        (Reply(401, body=b"no"), Denied),
        (Reply(403), Denied),
        (Reply(404), RegistryFault),
        (Reply(302, [("Location", "http://evil.example/")]), RegistryFault),
        (Reply(200, body=b"<html>"), Unreachable),
        (Reply(200, body=b"[]"), Unreachable),
        (Reply(200, body=b'{"token":5}'), Unreachable),
        (Reply(200, body=b'{"token":"a\\r\\nX-Evil: 1"}'), Unreachable),
        (Reply(200, body=b'{"token":"' + b"x" * 300_000 + b'"}'), Unreachable),
        (Reply(cut=True), Unreachable),
    ],
)
async def test_token_server_that_is_down_or_lies_is_named(bad, ours, reply, kind):
    bad.play = lambda seen: reply if seen.path == "/token" else challenge(f'Bearer realm="http://{bad.host}/token"')
    with pytest.raises(kind, match=f"token server {bad.host}"):
        await ours.head(app(bad), "v1")
    assert len(bad.asked("GET", "/token")) <= SOON.attempts


@pytest.mark.parametrize("life", ["-5", "1e300", '"soon"', "null", "true"])
async def test_life_of_a_token_is_never_endless(bad, ours, life):
    image = Image()
    bad.play = lambda seen: (
        Reply(200, body=b'{"access_token":"x","expires_in":%s}' % life.encode())
        if seen.path == "/token"
        else (found(image) if seen.login == "Bearer x" else challenge(f'Bearer realm="http://{bad.host}/token"'))
    )
    assert await ours.head(app(bad), "v1") == image.descriptor
    door = ours._transport._tokens._doors[bad.host]
    left = max(until for _, until in door.tokens.values()) - asyncio.get_running_loop().time()
    assert 0 < left <= 3600


# Statuses and words


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [(401, Denied, 1), (403, Denied, 1), (405, RegistryFault, 1), (418, RegistryFault, 1)],
)
async def test_status_is_a_sentence_and_not_tried_again(bad, ours, status, kind, tries):
    bad.play = lambda _: Reply(status, body=errors("DENIED", "not you"))
    with pytest.raises(kind, match=f"answered {status}.*DENIED: not you") as fault:
        await ours.manifest(app(bad), "v1")
    assert (fault.value.status, fault.value.code) == (status, "DENIED")
    assert len(bad.seen) == tries


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_status_that_may_pass_is_tried_again_but_not_forever(bad, ours, status):
    bad.play = lambda _: Reply(status)
    with pytest.raises(RegistryFault, match=str(status)):
        await ours.manifest(app(bad), "v1")
    assert len(bad.seen) == SOON.attempts
    image, left = Image(), [Reply(status), Reply(status)]
    bad.play = lambda _: left.pop() if left else found(image)
    assert await ours.manifest(app(bad), "v1") == image.document


@pytest.mark.parametrize(
    ("said", "waits"), [("3", 3.0), ("999999999999", 7.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 7.0), ("-1", 1.0), ("soon", 1.0), ("", 1.0)]
)
async def test_registry_that_says_when_to_come_back_is_listened_to_within_reason(bad, said, waits):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = replace(SOON, attempts=2, first=1.0, longest=7.0)
    registry = OciRegistry(Settings(KnownLogins({}), pace=pace, sleep=sleep))
    bad.play = lambda _: Reply(503, [("Retry-After", said)])
    with pytest.raises(RegistryFault):
        await registry.head(app(bad), "v1")
    assert len(slept) == 1
    assert waits / 2 <= slept[0] <= waits
    await registry.close()


async def test_too_many_requests_make_all_wait(bad):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    registry = OciRegistry(Settings(KnownLogins({}), pace=replace(SOON, attempts=2, longest=60.0), sleep=sleep))
    image, replies = Image(), [Reply(429, [("Retry-After", "50")])]
    bad.play = lambda _: replies.pop() if replies else found(image)
    await registry.head(app(bad), "v1")
    await registry.head(app(bad), "v2")
    assert len(slept) == 2
    assert all(40 < pause <= 50 for pause in slept)
    await registry.close()


@pytest.mark.parametrize("body", [NASTY.encode(), errors("EVIL", NASTY.replace("\x1b", "\\u001b").replace("\x07", "\\u0007"))])
async def test_words_of_a_registry_are_escaped_and_cut(bad, ours, body):
    bad.play = lambda _: Reply(500, body=body)
    with pytest.raises(RegistryFault) as fault:
        await ours.manifest(app(bad), "v1")
    assert str(fault.value).isprintable()
    assert "\\x1b[31mred\\x07\\u202e" in str(fault.value)
    assert len(str(fault.value)) < 600


@pytest.mark.parametrize("status", [500, 200])
async def test_web_page_is_no_registry(bad, ours, status):
    page = b"<!DOCTYPE html><title>Sign in to the hotel</title>"
    bad.play = lambda _: Reply(status, [("Content-Type", "text/html")], page)
    with pytest.raises(RegistryFault, match=r"no registry|no manifest"):
        await ours.manifest(app(bad), "v1")
    with pytest.raises(RegistryFault):
        await ours.head(app(bad), "v1")


async def test_error_without_end_costs_16_kilobytes(bad, ours):
    bad.play = lambda _: Reply(500, body=b"x" * 65536, promise=1 << 40, endless=True)
    with pytest.raises(RegistryFault, match="500"):
        await ours.manifest(app(bad), "v1")
    await asyncio.sleep(0.05)
    assert bad.sent < 32 << 20


async def test_nobody_there_is_said_after_two_tries():
    registry = OciRegistry(Settings(KnownLogins({}), pace=SOON))
    async with hostile() as gone:
        repository = app(gone)
    with pytest.raises(Unreachable, match="did not answer when asked to look up acme/app:v1"):
        await registry.head(repository, "v1")
    await registry.close()


async def test_connection_that_is_cut_is_tried_again(bad, ours):
    image, replies = Image(), [Reply(cut=True), Reply(cut=True)]
    bad.play = lambda _: replies.pop() if replies else found(image)
    assert await ours.manifest(app(bad), "v1") == image.document
    half = found(image)
    half.body, half.promise, half.cut = half.body[:50], len(half.body), True
    halves = [half]
    bad.play = lambda _: halves.pop() if halves else found(image)
    assert await ours.manifest(app(bad), "v1") == image.document


async def test_registry_that_says_nothing_is_not_waited_for(bad):
    registry = OciRegistry(Settings(KnownLogins({}), pace=replace(SOON, attempts=2, idle=0.05)))
    bad.play = lambda _: Reply(200, body=b"{", promise=100)
    with pytest.raises(Unreachable):
        await registry.manifest(app(bad), "v1")
    assert len(bad.seen) == 2
    await registry.close()


# Manifests


async def test_manifest_of_two_gigabytes_costs_four_megabytes(bad, ours):
    bad.play = lambda _: Reply(200, [("Content-Type", MANIFEST)], b" " * (1 << 20), promise=2 << 30, endless=True)
    tracemalloc.start()
    with pytest.raises(RegistryFault, match=f"more than {LIMIT} bytes"):
        await ours.manifest(app(bad), "v1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert bad.sent < 64 << 20


async def test_manifest_that_is_not_what_was_asked_for_is_refused(bad, ours):
    one, another = Image(), Image()
    bad.play = lambda _: Reply(200, [("Content-Type", MANIFEST)], another.document.body)
    with pytest.raises(WrongDigest):
        await ours.manifest(app(bad), one.document.digest)
    bad.play = lambda _: Reply(200, [("Content-Type", MANIFEST), ("Docker-Content-Digest", one.document.digest)], another.document.body)
    with pytest.raises(WrongDigest):
        await ours.manifest(app(bad), "v1")
    bad.play = lambda _: found(another)
    with pytest.raises(WrongDigest):
        await ours.head(app(bad), one.document.digest)


async def test_manifest_under_the_wrong_type_is_refused(bad, ours):
    image = Image()
    bad.play = lambda _: Reply(200, [("Content-Type", INDEX)], image.document.body)
    with pytest.raises(RegistryFault, match="calls itself"):
        await ours.manifest(app(bad), "v1")


async def test_registry_that_says_little_in_headers_is_asked_for_the_body(bad, ours):
    image = Image()
    bad.play = lambda seen: Reply(405) if seen.method == "HEAD" else Reply(200, body=image.document.body)
    assert await ours.head(app(bad), "v1") == image.descriptor
    bad.play = lambda _: Reply(200, [("Content-Type", MANIFEST), ("Docker-Content-Digest", "sha256:x")], image.document.body)
    assert await ours.head(app(bad), "v1") == image.descriptor


async def test_manifest_that_the_registry_calls_by_another_digest_is_an_error(bad, ours):
    bad.play = lambda _: Reply(201, [("Docker-Content-Digest", digest(b"else"))])
    with pytest.raises(WrongDigest):
        await ours.push_manifest(app(bad), "v1", Image().document)


async def test_manifest_whose_digest_is_refused_by_mistake_is_sent_again(bad, ours):
    """docker-registry does so while another writer links the same blobs."""
    image, answers = Image(), [Reply(400, body=errors("DIGEST_INVALID", "no match")), Reply(201)]
    bad.play = lambda _: answers.pop(0)
    await ours.push_manifest(app(bad), "v1", image.document)
    assert [one.body for one in bad.asked("PUT")] == [image.document.body] * 2


async def test_manifest_whose_digest_is_always_refused_is_an_error(bad, ours):
    bad.play = lambda _: Reply(400, body=errors("DIGEST_INVALID", "no match"))
    with pytest.raises(WrongDigest):
        await ours.push_manifest(app(bad), "v1", Image().document)
    assert len(bad.asked("PUT")) == SOON.attempts


# Blobs


async def test_blob_that_is_cut_goes_on_where_it_broke(bad, ours):
    body = bytes(range(256)) * 100
    cuts = [10_000, 5_000]

    def play(seen: Seen) -> Reply:
        start = int(seen.headers.get("range", "bytes=0-")[6:-1])
        rest = body[start:]
        if cuts:
            return Reply(206 if start else 200, body=rest[: cuts.pop()], promise=len(rest), cut=True)
        return Reply(206, body=rest)

    bad.play = play
    assert await gather(ours.blob(app(bad), described(body))) == body
    assert [one.headers.get("range") for one in bad.seen] == [None, "bytes=5000-", "bytes=15000-"]


async def test_blob_that_is_cut_by_a_registry_without_ranges_is_read_again(bad, ours):
    body = bytes(range(256)) * 100
    replies = [Reply(200, body=body[:9000], promise=len(body), cut=True)]
    bad.play = lambda _: replies.pop() if replies else Reply(200, body=body)
    assert await gather(ours.blob(app(bad), described(body))) == body


async def test_blob_that_is_always_cut_is_given_up(bad, ours):
    bad.play = lambda _: Reply(200, body=b"x", promise=1000, cut=True)
    with pytest.raises(Unreachable):
        await gather(ours.blob(app(bad), described(b"x" * 1000)))
    assert len(bad.seen) == SOON.attempts


async def test_blob_of_other_bytes_gives_no_last_piece(bad, ours):
    body, got = b"a" * 1_000_000, bytearray()
    bad.play = lambda _: Reply(200, body=body[:-1] + b"b")

    async def read() -> None:
        async for piece in ours.blob(app(bad), described(body)):
            got.extend(piece)

    with pytest.raises(WrongDigest):
        await read()
    assert 0 < len(got) < len(body)


async def test_blob_that_never_ends_is_left_at_its_size(bad, ours):
    bad.play = lambda _: Reply(200, body=b"x" * 65536, promise=1 << 40, endless=True)
    with pytest.raises(WrongDigest, match="more than the 5 bytes"):
        await gather(ours.blob(app(bad), described(b"xxxxx")))
    await asyncio.sleep(0.05)
    assert bad.sent < 32 << 20


# Redirects


async def test_redirect_of_a_blob_loses_the_login(bad, other, ours):
    body = b"layer"
    other.play = lambda _: Reply(200, body=body)
    bad.play = lambda seen: (
        Reply(307, [("Location", f"http://{other.host}/storage?signature=x%2Fy")]) if seen.login == BASIC else challenge("Basic realm=x")
    )
    assert await gather(ours.blob(app(bad), described(body))) == body
    assert [one.login for one in other.seen] == [""]
    assert other.seen[0].target == "/storage?signature=x%2Fy"


async def test_token_server_that_the_target_of_a_redirect_names_gets_no_login(bad, other, ours):
    leads = challenge(f'Bearer realm="http://{other.host}/token"')
    other.play = lambda seen: Reply(200, body=b'{"token":"x"}') if seen.path == "/token" else leads
    bad.play = lambda _: Reply(307, [("Location", f"http://{other.host}/storage")])
    with pytest.raises(Denied):
        await gather(ours.blob(app(bad), described(b"x")))
    assert [one.path for one in other.seen] == ["/storage"]


async def test_login_that_the_target_of_a_redirect_asks_for_is_not_given(bad, other, ours):
    other.play = lambda _: challenge("Basic realm=x")
    bad.play = lambda seen: Reply(307, [("Location", f"http://{other.host}/")]) if seen.login else challenge("Basic realm=x")
    with pytest.raises(Denied):
        await gather(ours.blob(app(bad), described(b"x")))
    assert all(not one.login for one in other.seen)


@pytest.mark.parametrize(
    "target", ["http://evil.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "", "http://a:b@127.0.0.1/x", "http://["]
)
async def test_redirect_to_where_nothing_is_safe_is_refused(bad, ours, target):
    bad.play = lambda _: Reply(307, [("Location", target)])
    with pytest.raises(RegistryFault, match="redirects to"):
        await gather(ours.blob(app(bad), described(b"x")))
    assert len(bad.seen) == 1


async def test_redirects_in_a_circle_end(bad, ours):
    bad.play = lambda seen: Reply(307, [("Location", seen.target + "x")])
    with pytest.raises(RegistryFault, match="more than 5 times"):
        await ours.manifest(app(bad), "v1")
    assert len(bad.seen) == 6


async def test_write_is_never_redirected(bad, other, ours):
    bad.play = lambda _: Reply(307, [("Location", f"http://{other.host}/v2/acme/app/manifests/v1")])
    with pytest.raises(RegistryFault, match="307"):
        await ours.push_manifest(app(bad), "v1", Image().document)
    assert not other.seen


# Uploads


def taking(server: Hostile, location: str = "/v2/acme/app/blobs/uploads/1?state=a%3D") -> dict[str, bytes]:
    """A registry that takes blobs, in one or in pieces."""
    stored: dict[str, bytes] = {}
    parts: list[bytes] = []

    def play(seen: Seen) -> Reply:
        if seen.method == "HEAD":
            return Reply(404)
        if seen.method == "POST":
            parts.clear()
            return Reply(202, [("Location", location)])
        parts.append(seen.body)
        if seen.method == "PATCH":
            return Reply(202, [("Location", location)])
        stored[seen.query.rpartition("digest=")[2]] = b"".join(parts)
        return Reply(201)

    server.play = play
    return stored


async def test_upload_goes_where_the_registry_says(bad, ours):
    stored = taking(bad)
    assert await ours.push_blob(app(bad), push_of(b"layer"))
    assert stored == {digest(b"layer"): b"layer"}
    assert bad.asked("PUT")[0].target == f"/v2/acme/app/blobs/uploads/1?state=a%3D&digest={digest(b'layer')}"


@pytest.mark.parametrize(
    "location", ["http://evil.example/upload", "https://127.0.0.1/upload", "//evil/x", "http://x:y@HOST/upload", "http://["]
)
async def test_upload_goes_to_no_other_host(bad, ours, location):
    taking(bad, location.replace("HOST", bad.host))
    with pytest.raises(RegistryFault, match="wants to upload at another place"):
        await ours.push_blob(app(bad), push_of(b"layer"))
    assert not bad.asked("PUT")


async def test_upload_that_is_cut_is_begun_anew(bad, ours):
    stored, body = taking(bad), b"layer" * 100_000
    bad.swallow = 70_000
    assert await ours.push_blob(app(bad), push_of(body))
    assert stored == {digest(body): body}
    assert len(bad.asked("POST")) == 2


async def test_upload_that_is_always_cut_is_given_up(bad, ours):
    taking(bad)
    inner = bad.play
    bad.play = lambda seen: Reply(cut=True) if seen.method == "PUT" else inner(seen)
    with pytest.raises(Unreachable):
        await ours.push_blob(app(bad), push_of(b"layer"))
    assert len(bad.asked("PUT")) == SOON.attempts


async def test_upload_that_is_too_large_in_one_goes_in_pieces(bad):
    registry = OciRegistry(Settings(KnownLogins({}), pace=replace(SOON, chunk=1000)))
    stored, body = taking(bad), bytes(range(256)) * 9
    inner = bad.play
    bad.play = lambda seen: Reply(413) if seen.method == "PUT" and seen.body else inner(seen)
    assert await registry.push_blob(app(bad), push_of(body))
    assert stored == {digest(body): body}
    assert [one.headers["content-range"] for one in bad.asked("PATCH")] == ["0-999", "1000-1999", "2000-2303"]
    await registry.close()


@pytest.mark.parametrize("status", [400, 401, 403, 405, 413, 500, 507])
async def test_upload_that_is_refused_says_why(bad, ours, status):
    taking(bad)
    inner = bad.play
    bad.play = lambda seen: Reply(status, body=errors("DENIED", "no")) if seen.method == "PUT" else inner(seen)
    with pytest.raises(RegistryFault, match=f"answered {status} when asked to take the blob"):
        await ours.push_blob(app(bad), push_of(b"layer"))


async def test_upload_that_arrives_damaged_is_a_wrong_digest(bad, ours):
    taking(bad)
    inner = bad.play
    bad.play = lambda seen: Reply(400, body=errors("DIGEST_INVALID", "no match")) if seen.method == "PUT" else inner(seen)
    with pytest.raises(WrongDigest):
        await ours.push_blob(app(bad), push_of(b"layer"))


async def test_bytes_that_are_not_what_was_promised_never_arrive_whole(bad, ours):
    stored = taking(bad)
    with pytest.raises(WrongDigest):
        await ours.push_blob(app(bad), Push(described(b"a" * 100_000), chunks(b"a" * 99_999 + b"b")))
    assert not stored


async def test_mount_that_is_not_allowed_is_an_upload(bad, ours):
    stored = taking(bad)
    inner = bad.play
    bad.play = lambda seen: Reply(403) if "mount=" in seen.target else inner(seen)
    assert await ours.push_blob(app(bad), push_of(b"layer", Repository(bad.host, "acme/secret")))
    assert stored == {digest(b"layer"): b"layer"}


# Lists


async def test_tags_are_read_page_by_page(bad, ours):
    def play(seen: Seen) -> Reply:
        if "last=b" in seen.query:
            return Reply(200, body=b'{"tags":["c","not a tag","\\u001b[31m",7]}')
        return Reply(200, [("Link", '</v2/acme/app/tags/list?n=2&last=b>; rel="next"')], b'{"tags":["a","b"]}')

    bad.play = play
    assert await ours.tags(app(bad)) == ("a", "b", "c")


async def test_pages_without_end_end(bad, ours):
    bad.play = lambda seen: Reply(200, [("Link", f'<{seen.target}x>; rel="next"')], b'{"tags":["a"]}')
    with pytest.raises(RegistryFault, match="without new tags"):
        await ours.tags(app(bad))
    bad.play = lambda seen: Reply(200, [("Link", f'<{seen.target}>; rel="next"')], b'{"tags":["t%d"]}' % len(bad.seen))
    with pytest.raises(RegistryFault, match="no end of pages"):
        await ours.tags(app(bad))
    assert len(bad.seen) < 10


@pytest.mark.parametrize("link", ["http://evil.example/v2/acme/app/tags/list", "/v2/other/secret/tags/list", "/token", "http://["])
async def test_link_that_leads_away_is_not_followed(bad, ours, link):
    bad.play = lambda _: Reply(200, [("Link", f'<{link}>; rel="next"')], b'{"tags":["a"]}')
    with pytest.raises(RegistryFault):
        await ours.tags(app(bad))
    assert len(bad.seen) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"tags":5}'])
async def test_what_is_no_list_of_tags_is_refused(bad, ours, body):
    bad.play = lambda _: Reply(200, body=body)
    with pytest.raises(RegistryFault, match="no list of tags"):
        await ours.tags(app(bad))


async def test_repository_without_tags_has_none(bad, ours):
    bad.play = lambda _: Reply(200, body=b'{"name":"acme/app","tags":null}')
    assert await ours.tags(app(bad)) == ()


# Referrers

GHCR = Reply(303, [("Location", "https://github.com/-/v2/packages")])


def keeping(server: Hostile, api: Reply) -> dict[str, tuple[str, bytes]]:
    """A registry that keeps manifests, and answers the referrers API as told."""
    kept: dict[str, tuple[str, bytes]] = {}

    def play(seen: Seen) -> Reply:
        if "/referrers/" in seen.path:
            return api
        name = seen.path.rpartition("/")[2]
        if seen.method == "PUT":
            kept[name] = kept[digest(seen.body)] = seen.headers["content-type"], seen.body
            return Reply(201)
        if name not in kept:
            return Reply(404)
        return Reply(200, [("Content-Type", kept[name][0])], kept[name][1])

    server.play = play
    return kept


@pytest.mark.parametrize("api", [Reply(404), GHCR, Reply(400), Reply(405), Reply(200, [("Content-Type", "text/html")], b"<html>")])
async def test_registry_without_the_api_keeps_the_list_under_a_tag(bad, ours, api):
    keeping(bad, api)
    subject = Image().descriptor
    one, two = attachment(subject), attachment(subject, note="two")
    for document in (one, two):
        await ours.attach(app(bad), document)
    assert [found.digest for found in await ours.referrers(app(bad), subject.digest)] == [one.digest, two.digest]


async def test_registry_that_lists_it_itself_gets_no_list(bad, ours):
    subject = Image().descriptor
    document = attachment(subject)
    listed = b'{"manifests":[{"mediaType":"%s","digest":"%s","size":5}]}' % (MANIFEST.encode(), document.digest.encode())
    api = Reply(200, [("Content-Type", INDEX)], listed)
    bad.play = lambda seen: Reply(201, [("OCI-Subject", subject.digest)]) if seen.method == "PUT" else api
    await ours.attach(app(bad), document)
    assert [one.method for one in bad.seen] == ["PUT"]
    assert await ours.referrers(app(bad), subject.digest) == (Descriptor(MANIFEST, document.digest, 5),)


async def test_list_that_another_writer_overwrote_is_written_again(bad, ours):
    kept = keeping(bad, Reply(404))
    subject = Image().descriptor
    tag = subject.digest.replace(":", "-")
    inner, thefts = bad.play, [1, 1]

    def play(seen: Seen) -> Reply:
        reply = inner(seen)
        if seen.method == "PUT" and seen.path.endswith(tag) and thefts:
            thefts.pop()
            del kept[tag]
        return reply

    bad.play = play
    document = attachment(subject)
    await ours.attach(app(bad), document)
    assert document.digest.encode() in kept[tag][1]


async def test_list_that_others_always_overwrite_is_an_error(bad, ours):
    keeping(bad, Reply(404))
    subject = Image().descriptor
    inner = bad.play
    bad.play = lambda seen: Reply(201) if seen.path.endswith(subject.digest.replace(":", "-")) and seen.method == "PUT" else inner(seen)
    with pytest.raises(RegistryFault, match="rewritten by others"):
        await ours.attach(app(bad), attachment(subject))


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_referrers_that_may_not_be_seen_are_not_none(bad, ours, status):
    bad.play = lambda _: Reply(status)
    with pytest.raises(RegistryFault, match=str(status)):
        await ours.referrers(app(bad), Image().document.digest)


async def test_repository_with_a_strange_name_reaches_no_registry(bad, ours):
    for path in ("../secret", "a?b", "a//b", "A", "a%2fb", ""):
        with pytest.raises(RegistryFault, match="no repository"):
            await ours.head(Repository(bad.host, path), "v1")
    assert not bad.seen


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "[::1", "EXAMPLE", "a@b", "evil.example/path", ""])
async def test_host_that_is_none_is_a_fault(ours, host):
    with pytest.raises(RegistryFault, match="no repository"):
        await ours.head(Repository(host, "acme/app"), "v1")


@pytest.mark.parametrize("target", ["https://127.0.0.1:99999/", "https://" + "x" * 64 + ".example/", "http://127.0.0.1:99999/"])
async def test_redirect_to_what_no_machine_can_be_is_a_fault(bad, ours, target):
    bad.play = lambda _: Reply(307, [("Location", target)])
    with pytest.raises(RegistryFault):
        await ours.manifest(app(bad), "v1")
    bad.play = lambda _: challenge(f'Bearer realm="{target}"')
    with pytest.raises(RegistryFault):
        await ours.manifest(app(bad), "v1")


async def test_upload_that_the_registry_forgot_is_begun_anew(bad, ours):
    stored, forgets = taking(bad), [1]
    inner = bad.play
    bad.play = lambda seen: (
        Reply(404, body=errors("BLOB_UPLOAD_UNKNOWN", "which?")) if seen.method == "PUT" and forgets and forgets.pop() else inner(seen)
    )
    assert await ours.push_blob(app(bad), push_of(b"layer"))
    assert stored == {digest(b"layer"): b"layer"}


async def test_piece_whose_token_ran_out_is_not_sent_twice(bad):
    registry = OciRegistry(Settings(KnownLogins({}), pace=replace(SOON, chunk=1000)))
    stored, body, expired = taking(bad), bytes(range(256)) * 9, [1]
    inner, gate = bad.play, TokenServer(bad, Reply(404))

    def play(seen: Seen) -> Reply:
        if seen.method == "PATCH" and len(bad.asked("PATCH")) == 2 and expired.pop():
            gate.valid = "another"
        if seen.path == "/token" or seen.login != f"Bearer {gate.valid}":
            return gate.play(seen)
        return Reply(413) if seen.method == "PUT" and seen.body else inner(seen)

    bad.play = play
    assert await registry.push_blob(app(bad), push_of(body))
    assert stored == {digest(body): body}
    assert [one.headers["content-range"] for one in bad.asked("PATCH")] == ["0-999", "1000-1999", "0-999", "1000-1999", "2000-2303"]
    await registry.close()


async def test_many_more_tags_than_anybody_has_are_refused(bad, ours, monkeypatch):
    monkeypatch.setattr("pipelines.adapters.registry.listings.MOST", 5)
    bad.play = lambda seen: Reply(
        200, [("Link", f'</v2/acme/app/tags/list?last={len(bad.seen)}>; rel="next"')], b'{"tags":["t%d"]}' % len(bad.seen)
    )
    with pytest.raises(RegistryFault, match="more than 5 tags"):
        await ours.tags(app(bad))
