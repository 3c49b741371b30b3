"""A receiver of notifications on this machine, which answers, breaks or hangs as a test wants it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Receiver:
    answers: list[int | str] = field(default_factory=list)
    """For the next requests, then 204: a status, `reset`, `hang`, `redirect`, or `busy` (429 with Retry-After)."""
    got: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    going: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def values(self) -> list[Any]:
        return [orjson.loads(body) for body in self.bodies]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self.answers.pop(0) if self.answers else 204
        self.got.append(request)
        self.bodies.append(await request.read())
        if answer == "reset":
            assert request.transport is not None
            request.transport.abort()
        elif answer == "hang":
            self.hung.set()
            await self.going.wait()
        elif answer == "redirect":
            return web.Response(status=307, headers={"Location": self.url("/elsewhere")})
        elif answer == "busy":
            return web.Response(status=429, headers={"Retry-After": "120"})
        return web.Response(status=answer if isinstance(answer, int) else 204)


@asynccontextmanager
async def receiving(*answers: int | str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers))
    runner = web.ServerRunner(web.Server(receiver.answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        receiver.going.set()
        await runner.cleanup()
