"""GitHub's REST API on this machine, as far as a pull request needs it: branches, files and pull requests in memory, and faults on demand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web

REPOSITORY = "acme/fleet"
Files = dict[str, bytes]


def sha(value: Any) -> str:
    return hashlib.sha1(repr(value).encode(), usedforsecurity=False).hexdigest()


def no(status: int, message: str = "") -> web.Response:
    return web.json_response({"message": message}, status=status)


@dataclass
class GitHub:
    files: Files
    """At the head of `main`."""
    token: str = "t0ken"
    commits: dict[str, tuple[Files, str]] = field(default_factory=dict)
    """By id: files and message."""
    branches: dict[str, str] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    """Method and what of the repository, in order."""
    answer: Callable[[int, str], web.Response | str | None] = lambda number, what: None
    """For a request by number (from 0): an answer in place of the real one; `lost`: it is done, and nobody is told; `reset`: it is not done."""
    before: Callable[[GitHub, str], None] = lambda github, what: None
    """Somebody else, just before a request is looked at."""
    meanwhile: Callable[[str], Awaitable[None]] | None = None
    """The same, with time to ask something itself."""
    port: int = 0

    def __post_init__(self) -> None:
        self.branches["main"] = self.commit(self.files, "all", "")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def commit(self, files: Files, message: str, parent: str) -> str:
        id = sha((sorted(files.items()), message, parent))
        self.commits[id] = dict(files), message
        return id

    def push(self, branch: str, path: str, data: bytes | None, message: str = "by hand") -> None:
        files, _ = self.commits[self.branches[branch]]
        changed = {**files, path: data or b""} if data is not None else {name: what for name, what in files.items() if name != path}
        self.branches[branch] = self.commit(changed, message, self.branches[branch])

    def at(self, ref: str) -> Files | None:
        id = self.branches.get(ref, ref)
        return self.commits[id][0] if id in self.commits else None

    async def served(self, request: web.BaseRequest) -> web.StreamResponse:
        what = f"{request.method} {unquote(request.path).removeprefix(f'/repos/{REPOSITORY}').strip('/')}".strip()
        self.got.append(what)
        body = orjson.loads(await request.read() or b"null")
        self.before(self, what)
        if self.meanwhile is not None:
            await self.meanwhile(what)
        faked = self.answer(len(self.got) - 1, what)
        if isinstance(faked, web.Response):
            return faked
        answer = self._real(request, what, body) if faked != "reset" else no(500)
        if faked in ("lost", "reset"):
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _real(self, request: web.BaseRequest, what: str, body: Any) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return no(401, "Bad credentials")
        if not unquote(request.path).startswith(f"/repos/{REPOSITORY}"):
            return no(404, "Not Found")
        method, _, rest = what.partition(" ")
        match method, rest.split("/"):
            case "GET", [""]:
                return web.json_response({"full_name": REPOSITORY, "default_branch": "main"})
            case "GET", ["git", "ref", "heads", *name]:
                found = self.branches.get("/".join(name))
                return web.json_response({"ref": rest, "object": {"type": "commit", "sha": found}}) if found else no(404)
            case "POST", ["git", "refs"]:
                return self._branch(body["ref"].removeprefix("refs/heads/"), body["sha"])
            case "GET", ["contents", *path]:
                return self._content("/".join(path), self.at(request.query["ref"]))
            case "PUT", ["contents", *path]:
                return self._put("/".join(path), body)
            case "GET", ["pulls"]:
                found = [one for one in self.pulls if one["head"]["label"] == request.query["head"]]
                return web.json_response([one for one in found if request.query["state"] in ("all", one["state"])])
            case "POST", ["pulls"]:
                return self._pull(body)
            case _:
                return no(404)

    def _branch(self, name: str, commit: str) -> web.Response:
        if name in self.branches:
            return no(422, "Reference already exists")
        if commit not in self.commits:
            return no(422, "Object does not exist")
        self.branches[name] = commit
        return web.json_response({"ref": f"refs/heads/{name}"}, status=201)

    def _content(self, path: str, files: Files | None) -> web.Response:
        if files is None or path not in files:
            return no(404)
        lines = base64.encodebytes(files[path]).decode()
        return web.json_response({"type": "file", "encoding": "base64", "content": lines, "sha": sha(files[path]), "path": path})

    def _put(self, path: str, body: dict[str, Any]) -> web.Response:
        files = self.at(body["branch"])
        if files is None:
            return no(404)
        if body.get("sha") != sha(files.get(path)):
            return no(409, f"{path} does not match {body.get('sha')}")
        self.push(body["branch"], path, base64.b64decode(body["content"]), body["message"])
        return web.json_response({"commit": {"sha": self.branches[body["branch"]]}})

    def _pull(self, body: dict[str, Any]) -> web.Response:
        if body["head"] not in self.branches or body["base"] not in self.branches:
            return no(422, "Validation Failed")
        if self.at(body["head"]) == self.at(body["base"]):
            return no(422, "No commits between")
        if any(one["head"]["ref"] == body["head"] and one["state"] == "open" for one in self.pulls):
            return no(422, "A pull request already exists for acme.")
        label = f"{REPOSITORY.partition('/')[0]}:{body['head']}"
        self.pulls.append({"state": "open", **body, "head": {"ref": body["head"], "label": label}})
        return web.json_response(self.pulls[-1], status=201)


@asynccontextmanager
async def github(files: Files, **fields: Any) -> AsyncIterator[GitHub]:
    served = GitHub(files, **fields)
    runner = web.ServerRunner(web.Server(served.served), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.port = runner.addresses[0][1]
    try:
        yield served
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
