"""A real registry behind a token server judges what our tokens ask for."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from pipelines.adapters.registry import KnownLogins, Login, OciRegistry, Settings
from pipelines.flow.cache import Settled, settle
from pipelines.flow.publish import Package, publish
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Denied
from tests.engines import registries
from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.images.registry.conftest import SOON
from tests.images.registry.goods import Image, described, gather, push_of
from tests.images.registry.hostile import Hostile, Reply, Seen, hostile

ISSUER, SERVICE = "tests", "registry"
PASSWORDS = {"robot": "pa55word", "reader": "books"}


def part(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


class Gatekeeper:
    """Signs tokens (distribution, "Token Authentication Implementation"): robot may do anything, reader may pull, nobody may pull what is public."""

    def __init__(self, folder: Path) -> None:
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
        subprocess.run([*command, "-keyout", self.key, "-out", self.certificate], check=True, capture_output=True)
        self.chain = "".join(self.certificate.read_text().splitlines()[1:-1])
        self.asked: list[list[str]] = []

    def play(self, seen: Seen) -> Reply:
        name, _, password = base64.b64decode(seen.login.removeprefix("Basic ")).decode().partition(":")
        if name and PASSWORDS.get(name) != password:
            return Reply(401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}')
        scopes = parse_qs(seen.query).get("scope", [])
        self.asked.append(scopes)
        return Reply(200, body=json.dumps({"token": self.token(name, scopes), "expires_in": 300}).encode())

    def token(self, name: str, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, path, actions = scope.split(":")
            allowed = {"robot": {"pull", "push", "delete"}, "reader": {"pull"}}.get(name, {"pull"} if path.startswith("public/") else set())
            access.append({"type": kind, "name": path, "actions": sorted(set(actions.split(",")) & allowed)})
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": name, "nbf": now - 60, "iat": now, "exp": now + 300, "jti": "1", "access": access}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.chain]}
        signed = f"{part(json.dumps(head).encode())}.{part(json.dumps(claims).encode())}"
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), check=True, capture_output=True)
        return f"{signed}.{part(done.stdout)}"


@pytest.fixture(scope="module")
def gatekeeper(tmp_path_factory: pytest.TempPathFactory) -> Gatekeeper:
    return Gatekeeper(tmp_path_factory.mktemp("gatekeeper"))


@pytest.fixture(scope="module")
def guarded(gatekeeper: Gatekeeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A registry that believes the gatekeeper, and the port on which it sends people to him."""
    port = registries.free_port()
    realm = f"realm: http://127.0.0.1:{port}/token, service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {gatekeeper.certificate}"
    try:
        daemon, host = registries.start(tmp_path_factory.mktemp("guarded"), more=f"auth: {{token: {{{realm}}}}}\n")
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"docker-registry should be here: {missing}", pytrace=False)
        pytest.skip(f"no registry: {missing}")
    yield host, port
    daemon.stop()


@pytest.fixture
async def gate(gatekeeper: Gatekeeper, guarded: tuple[str, int]) -> AsyncIterator[Hostile]:
    gatekeeper.asked.clear()
    async with hostile(guarded[1]) as server:
        server.play = gatekeeper.play
        yield server


class As:
    """The registry as somebody."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.opened: list[OciRegistry] = []

    def __call__(self, name: str, password: str = "") -> OciRegistry:
        logins = {self.host: Login(name, password or PASSWORDS[name])} if name else {}
        self.opened.append(OciRegistry(Settings(KnownLogins(logins), pace=SOON)))
        return self.opened[-1]


@pytest.fixture
async def as_(guarded: tuple[str, int], gate: Hostile) -> AsyncIterator[As]:
    users = As(guarded[0])
    yield users
    for registry in users.opened:
        await registry.close()


async def test_robot_may_publish_mount_tag_and_delete(as_: As, gatekeeper: Gatekeeper):
    robot, base, web = as_("robot"), Repository(as_.host, "acme/base"), Repository(as_.host, "acme/web")
    parent = Image()
    await publish(robot, Package(parent.document, parent.chunks), base)
    child = Image(*parent.layers, b"code")
    done = await publish(robot, Package(child.document, child.chunks), web, [base])
    assert done.blobs == 2, "the parent's layers were sent, not mounted"
    assert sorted(["repository:acme/base:pull", "repository:acme/web:pull,push"]) in gatekeeper.asked
    settled = await settle(robot, done.pinned, Repository(as_.host, "cache/web"), "5" * 64)
    assert settled == Settled(Pinned(web, child.document.digest), is_ours=True)
    assert await robot.tags(Repository(as_.host, "cache/web"))
    assert await robot.delete(web, child.document.digest)


async def test_few_tokens_do_for_many_requests(as_: As, gatekeeper: Gatekeeper):
    robot, repository = as_("robot"), Repository(as_.host, "acme/many")
    for image in (Image(), Image(), Image()):
        await publish(robot, Package(image.document, image.chunks), repository)
    assert gatekeeper.asked == [["repository:acme/many:pull,push"]]


async def test_reader_may_read_and_is_denied_the_rest(as_: As):
    robot, reader, repository = as_("robot"), as_("reader"), Repository(as_.host, "acme/books")
    image = await Image().into(robot, repository, "v1")
    assert await reader.manifest(repository, "v1") == image.document
    assert await gather(reader.blob(repository, described(image.layers[0]))) == image.layers[0]
    with pytest.raises(Denied):
        await reader.push_manifest(repository, "v2", image.document)
    with pytest.raises(Denied):
        await reader.push_blob(repository, push_of(b"new"))
    with pytest.raises(Denied):
        await reader.delete(repository, image.document.digest)


async def test_nobody_may_read_what_is_public_only(as_: As):
    robot, nobody = as_("robot"), as_("")
    public, private = Repository(as_.host, "public/app"), Repository(as_.host, "acme/app")
    image = await Image().into(robot, public, "v1")
    await image.into(robot, private, "v1")
    assert await nobody.head(public, "v1") == image.descriptor
    with pytest.raises(Denied) as denied:
        await nobody.head(private, "v1")
    assert denied.value.status == 401
    assert "log in" in denied.value.fix


async def test_wrong_password_is_said_by_the_token_server(as_: As):
    with pytest.raises(Denied, match="wrong password") as denied:
        await as_("robot", "guess").head(Repository(as_.host, "acme/app"), "v1")
    assert "guess" not in str(denied.value)


async def test_mount_from_what_we_may_not_read_is_an_upload(as_: As):
    robot, nobody_home = as_("robot"), Repository(as_.host, "public/copy")
    await robot.push_blob(Repository(as_.host, "acme/secret"), push_of(b"mine"))
    assert await robot.push_blob(nobody_home, push_of(b"mine", Repository(as_.host, "acme/none")))
