"""TLS is asked for everywhere but on this machine, believed only with a certificate, and never left."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipelines.adapters.registry import KnownLogins, Login, OciRegistry, Settings
from pipelines.adapters.registry.settings import is_loopback, origin, without_port
from pipelines.model.oci import Repository
from pipelines.ports import RegistryFault, Unreachable
from tests.engines import certificates
from tests.images.registry.conftest import SOON, settings
from tests.images.registry.goods import described, digest, gather, push_of
from tests.images.registry.hostile import Hostile, Reply, Seen, hostile


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    certificates.issue_all(folder)
    return folder


@pytest.fixture
async def safe(authority: Path) -> AsyncIterator[Hostile]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "server.crt", authority / "server.key")
    async with hostile(tls=tls) as server:
        yield server


@pytest.fixture
async def ours(safe: Hostile, authority: Path) -> AsyncIterator[OciRegistry]:
    logins = KnownLogins({safe.host: Login("robot", "pa55word")})
    registry = OciRegistry(Settings(logins, secure=frozenset({safe.host}), authorities=str(authority / "ca.crt"), pace=SOON))
    yield registry
    await registry.close()
    await asyncio.sleep(0)


def app(server: Hostile) -> Repository:
    return Repository(server.host, "acme/app")


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("ghcr.io", "https://ghcr.io"),
        ("docker.io", "https://registry-1.docker.io"),
        ("localhost:5000", "http://localhost:5000"),
        ("127.8.9.1", "http://127.8.9.1"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("kind.localhost", "http://kind.localhost"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("localhost.evil.example", "https://localhost.evil.example"),
        ("127.0.0.1.evil.example", "https://127.0.0.1.evil.example"),
        ("0.0.0.0", "https://0.0.0.0"),
    ],
)
def test_host_is_spoken_to_over_tls_unless_it_is_this_machine(host, where):
    assert origin(settings(), host) == where


def test_host_that_the_caller_names_is_spoken_to_as_it_says():
    named = settings(plain=frozenset({"registry.lan:5000"}), secure=frozenset({"localhost:5001"}))
    assert origin(named, "registry.lan:5000") == "http://registry.lan:5000"
    assert origin(named, "localhost:5001") == "https://localhost:5001"
    assert origin(named, "registry.lan") == "https://registry.lan"


@pytest.mark.parametrize(("host", "name"), [("a:5000", "a"), ("a", "a"), ("[::1]:5000", "[::1]"), ("[::1]", "[::1]")])
def test_port_is_no_part_of_the_name(host, name):
    assert without_port(host) == name
    assert is_loopback(without_port("[::1]"))


async def test_certificate_of_a_named_authority_is_believed(safe, ours):
    safe.play = lambda _: Reply(200, body=b'{"tags":["v1"]}')
    assert await ours.tags(app(safe)) == ("v1",)


async def test_certificate_of_nobody_is_not_believed_and_asked_for_once(safe):
    registry = OciRegistry(settings(secure=frozenset({safe.host})))
    with pytest.raises(Unreachable, match="certificate verify failed"):
        await registry.head(app(safe), "v1")
    assert safe.seen == []
    await registry.close()


async def test_tls_is_not_left_by_a_redirect(safe, ours):
    async with hostile() as plain:
        safe.play = lambda _: Reply(307, [("Location", f"http://{plain.host}/storage")])
        with pytest.raises(RegistryFault, match="redirects to http"):
            await gather(ours.blob(app(safe), described(b"x")))
        assert not plain.seen


async def test_upload_stays_on_tls_where_the_registry_forgets_that_it_has_it(safe, ours):
    def play(seen: Seen) -> Reply:
        if seen.method == "HEAD":
            return Reply(404)
        return Reply(202, [("Location", "http://127.0.0.1/v2/acme/app/blobs/uploads/1")]) if seen.method == "POST" else Reply(201)

    safe.play = play
    assert await ours.push_blob(app(safe), push_of(b"layer"))
    assert safe.asked("PUT")[0].target == f"/v2/acme/app/blobs/uploads/1?digest={digest(b'layer')}"


async def test_upload_that_would_leave_tls_is_refused(safe, ours):
    async with hostile() as plain:
        safe.play = lambda seen: Reply(404) if seen.method == "HEAD" else Reply(202, [("Location", f"http://{plain.host}/upload")])
        with pytest.raises(RegistryFault, match="at another place"):
            await ours.push_blob(app(safe), push_of(b"layer"))
        assert not plain.seen
