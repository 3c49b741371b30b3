"""GitHub's packages API, played by a server on this machine: every version is listed, and only what was decided on is deleted."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from pipelines.adapters.github_packages import GithubPackages
from pipelines.model.oci import Repository
from pipelines.model.stored import Version
from pipelines.ports import Denied, RegistryFault, Unreachable

HOME = Repository("ghcr.io", "acme/cache/web")
PACKAGE = "/packages/container/cache%2Fweb"
TOKEN = "t0ken"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def version(number: int, *tags: str, **over: Any) -> dict[str, Any]:
    """A version as GitHub tells it."""
    said = {"id": number, "name": digest(number), "created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-11-01T10:00:00Z"}
    return {**said, "metadata": {"package_type": "container", "container": {"tags": list(tags)}}, **over}


@dataclass
class Github:
    """What the server knows, and what it was asked."""

    owner: str = "/orgs/acme"
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    broken: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Request -> status and body instead of an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        for form, answer in self.broken.items():
            if re.search(form, f"{method} {path}"):
                return answer
        home, _, query = path.partition("?")
        if not home.startswith(self.owner + PACKAGE):
            return 404, b"{}"
        rest = home.removeprefix(self.owner + PACKAGE)
        if rest == "":
            return 200, b"{}"
        if rest == "/versions":
            page = int(re.search(r"\bpage=(\d+)", query)[1])  # type: ignore[index]
            return 200, json.dumps(list(self.versions.values())[(page - 1) * 100 : page * 100]).encode()
        number = int(rest.rpartition("/")[2])
        if number not in self.versions:
            return 404, b"{}"
        if method == "DELETE":
            del self.versions[number]
            return 204, b""
        return 200, json.dumps(self.versions[number]).encode()


@pytest.fixture
def github() -> Iterator[Github]:
    state = Github()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.tokens.add(self.headers["authorization"])
            status, body = state.answer(self.command, self.path)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
async def room(github: Github) -> AsyncIterator[GithubPackages]:
    found = GithubPackages(TOKEN, github.url)
    yield found
    await found.close()


async def test_every_version_is_listed_page_by_page(github, room):
    github.versions = {number: version(number, f"t{number}") for number in range(1, 251)}
    found = await room.versions(HOME)
    assert len(found) == 250
    assert found[0] == Version(digest(1), ("t1",), date(2026, 11, 1), "1")
    assert sum("/versions?" in one for one in github.asked) == 3
    assert github.tokens == {f"Bearer {TOKEN}"}


async def test_versions_without_tags_are_listed_too(github, room):
    github.versions = {7: version(7)}
    assert (await room.versions(HOME))[0].tags == ()


async def test_what_an_organisation_does_not_have_is_a_persons(github, room):
    github.owner, github.versions = "/users/acme", {7: version(7)}
    assert len(await room.versions(HOME)) == 1


async def test_a_package_that_is_not_there_has_nothing(github, room):
    github.owner = "/orgs/other"
    assert await room.versions(HOME) == ()


async def test_a_version_is_deleted_by_its_id(github, room):
    github.versions = {7: version(7, "old"), 8: version(8)}
    found = {one.id: one for one in await room.versions(HOME)}
    await room.remove(HOME, found["7"])
    assert list(github.versions) == [8]
    await room.remove(HOME, found["7"])
    assert list(github.versions) == [8]


async def test_a_version_that_got_a_tag_meanwhile_stays(github, room):
    github.versions = {7: version(7, "old")}
    found = (await room.versions(HOME))[0]
    github.versions[7] = version(7, "old", "stable")
    with pytest.raises(RegistryFault, match="other tags meanwhile: old, stable"):
        await room.remove(HOME, found)
    assert list(github.versions) == [7]


async def test_a_version_that_was_never_listed_is_not_deleted(github, room):
    github.versions = {7: version(7)}
    with pytest.raises(RegistryFault, match="does not list"):
        await room.remove(HOME, Version(digest(7), ()))
    assert list(github.versions) == [7]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "fix"),
    [
        (401, {}, Denied, "delete:packages"),
        (403, {}, Denied, "delete:packages"),
        (403, {"x-ratelimit-remaining": "0"}, Denied, "too many requests"),
        (500, {}, RegistryFault, "later"),
        (302, {"location": "https://elsewhere.example"}, RegistryFault, "later"),
    ],
)
async def test_no_answer_is_no_list(github, room, status, headers, kind, fix):
    github.versions, github.headers = {7: version(7)}, headers
    github.broken = {"/versions": (status, b"")}
    with pytest.raises(kind) as told:
        await room.versions(HOME)
    assert fix in told.value.fix
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b"[{}]", json.dumps([version(7, name="latest")]).encode(), json.dumps([version(7, updated_at="then")]).encode(), json.dumps([version(7, id="7/../8")]).encode(), json.dumps([version(7, "a b")]).encode()],
)  # fmt: skip
async def test_what_is_not_understood_ends_the_list(github, room, body):
    github.broken = {"/versions": (200, body)}
    with pytest.raises(RegistryFault):
        await room.versions(HOME)


async def test_a_list_that_breaks_off_is_no_list(github, room):
    github.versions = {number: version(number) for number in range(1, 151)}
    github.broken = {r"[?&]page=2": (404, b"{}")}
    with pytest.raises(RegistryFault, match="broke off at page 2"):
        await room.versions(HOME)


async def test_nobody_there_is_unreachable():
    room = GithubPackages(TOKEN, "http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        await room.versions(HOME)
    await room.close()
