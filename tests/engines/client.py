"""A small Kubernetes client for the engine room and its tests: requests as they are, LIST then WATCH as a stream of events."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
PAGE = 500
WATCH_SECONDS = 290
LINE_LIMIT = 4 << 20

Body = dict[str, Any]


class Answer(NamedTuple):
    """Status code and parsed body of an answer."""

    status: int
    body: Any


class Api:
    """An API server by its kubeconfig."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self.session = session
        self.server = server

    async def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        data = None if body is None else orjson.dumps(body)
        async with self.session.request(method, self.server + path, data=data, headers={"Content-Type": kind} if data else None) as got:
            raw = await got.read()
            return Answer(got.status, orjson.loads(raw) if raw.startswith((b"{", b"[")) else raw.decode())

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def apply(self, path: str, body: Body, manager: str = "test", query: str = "") -> Answer:
        """Server-side apply; the path is the object's own."""
        return await self.ask("PATCH", f"{path}?fieldManager={manager}{query}", body, APPLY)

    async def merge(self, path: str, body: Body) -> Answer:
        return await self.ask("PATCH", path, body, MERGE)

    async def delete(self, path: str, options: Body | None = None) -> Answer:
        return await self.ask("DELETE", path, options)

    async def watch(self, path: str, version: str = "", query: str = "") -> AsyncIterator[Body]:
        """The events of one watch request, until the server ends it."""
        url = f"{self.server}{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}{query}"
        async with self.session.get(url, read_bufsize=LINE_LIMIT) as got:
            got.raise_for_status()
            async for line in got.content:
                yield orjson.loads(line)

    async def list(self, path: str) -> tuple[list[Body], str]:
        """All objects of a collection, page by page, and the version to watch from."""
        items: list[Body] = []
        more = ""
        while True:
            status, page = await self.get(f"{path}?limit={PAGE}&continue={more}")
            if status != 200:
                raise aiohttp.ClientError(f"LIST {path}: {status}")
            items += page["items"]
            more = page["metadata"].get("continue", "")
            if not more:
                return items, page["metadata"]["resourceVersion"]

    async def follow(self, path: str, listed: asyncio.Event) -> AsyncIterator[Body]:
        """Every object of a collection as ADDED events, then what happens to them, for good: a broken watch starts anew."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                items, version = await self.list(path)
                for item in items:
                    yield {"type": "ADDED", "object": item}
                listed.set()
                async for event in self.watch(path, version):
                    if event["type"] == "ERROR":
                        break
                    if event["type"] != "BOOKMARK":
                        yield event
            await asyncio.sleep(0.2)


@asynccontextmanager
async def connect(kubeconfig: Path) -> AsyncIterator[Api]:
    """A client for a kubeconfig that the engine room wrote."""
    document = json.loads(kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    headers = {"Authorization": f"Bearer {document['users'][0]['user']['token']}", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=cluster["certificate-authority"]), limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield Api(session, cluster["server"])
