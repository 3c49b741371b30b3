"""A registry that does what a test tells it to: any status, any header, bodies that end too early or never."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple


class Seen(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def login(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class Reply:
    """What to answer. `promise`: the Content-Length, when it is not that of the body; `endless`: the body again and again."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    promise: int | None = None
    endless: bool = False
    cut: bool = False
    """Close the connection instead of answering, or after the body."""


Play = Callable[[Seen], Reply]


class Hostile:
    """One such server; `play` decides."""

    def __init__(self) -> None:
        self.play: Play = lambda _: Reply(404)
        self.seen: list[Seen] = []
        self.sent = 0
        """Bytes of bodies that clients took."""
        self.swallow: int | None = None
        """Hang up after so many bytes of a request's body."""
        self.port = 0
        self.writers: set[asyncio.StreamWriter] = set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def asked(self, method: str, part: str = "") -> list[Seen]:
        return [one for one in self.seen if one.method == method and part in one.target]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while (seen := await self._read(reader)) and await self._answer(seen, writer):
                pass
        writer.close()
        self.writers.discard(writer)

    async def _read(self, reader: asyncio.StreamReader) -> Seen | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        length = int(headers.get("content-length", 0))
        if self.swallow is not None and length > self.swallow:
            await reader.readexactly(self.swallow)
            self.seen.append(Seen(method, target, headers, b""))
            self.swallow = None
            return None
        seen = Seen(method, target, headers, await reader.readexactly(length) if length else b"")
        self.seen.append(seen)
        return seen

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        reply = self.play(seen)
        if reply.cut and not reply.body and not reply.headers:
            return False
        length = len(reply.body) if reply.promise is None else reply.promise
        lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in reply.headers), f"Content-Length: {length}"]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        if seen.method != "HEAD":
            await self._send(reply, writer)
        await writer.drain()
        return not reply.cut

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        writer.write(reply.body)
        self.sent += len(reply.body)
        while reply.endless:
            await writer.drain()
            writer.write(reply.body)
            self.sent += len(reply.body)


@asynccontextmanager
async def hostile(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    one = Hostile()
    server = await asyncio.start_server(one.serve, "127.0.0.1", port, limit=1 << 20, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for writer in tuple(one.writers):
            writer.close()
        await asyncio.sleep(0)
        await server.wait_closed()
