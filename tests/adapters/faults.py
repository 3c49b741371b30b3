"""A proxy before an API server that breaks chosen requests: late, lost before or after they took effect, refused, garbled, silent."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from reconciler.adapters.cluster.openings import Openings


@dataclass(frozen=True)
class Answer:
    """An answer of ours instead of the server's; `late`: after the server got the request and did what it says."""

    status: int
    body: bytes = b""
    headers: dict[str, str | Callable[[], str]] = field(default_factory=dict)
    late: bool = False


@dataclass(frozen=True)
class Reset:
    """The connection breaks: before the server sees the request, after it did (`late`), or in the middle of its answer (`half`)."""

    late: bool = False
    half: bool = False


@dataclass(frozen=True)
class Delay:
    """The request waits."""

    seconds: float


@dataclass(frozen=True)
class Lines:
    """A watch in which these lines come first; then what `end` says: `go` on, `cut` the connection, `stay` silent, `close` in good order."""

    first: tuple[bytes, ...] = ()
    end: str = "go"
    after: int = 0
    """So many lines of the server pass before that."""


Fault = Answer | Reset | Delay | Lines


def status(
    code: int, reason: str, message: str = "so it is", causes: list[dict[str, str]] | None = None, **headers: str | Callable[[], str]
) -> Answer:
    """A Kubernetes Status as an answer."""
    details = {"details": {"causes": causes}} if causes else {}
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code, **details}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, orjson.dumps(body), {"Content-Type": "application/json", **named})


def event(kind: str, body: dict[str, Any]) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


@dataclass
class _Rule:
    fault: Fault
    method: str
    path: str
    times: int
    meanwhile: Callable[[], Awaitable[Any]] | None
    unless: str = ""


@dataclass
class FaultProxy:
    """One proxy. `seen` are the requests that came, as `METHOD path?query`; `passed` those that reached the server."""

    upstream: str
    authority: Path
    token: str
    url: str = ""
    seen: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    """Tokens that are good here; none: all are."""
    _rules: list[_Rule] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _openings: Openings = field(default_factory=Openings)

    def fail(
        self,
        fault: Fault,
        method: str = "",
        path: str = "",
        times: int = 1,
        meanwhile: Callable[[], Awaitable[Any]] | None = None,
        unless: str = "",
    ) -> None:
        """Break the next `times` requests of this method whose address has this part, and not the part `unless`; `WATCH` is a method too.

        `meanwhile` happens once the fault has struck, before anybody hears of it.
        """
        self._rules.append(_Rule(fault, method, path, times, meanwhile, unless))

    def heal(self) -> None:
        """No more faults."""
        self._rules.clear()

    def kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> str:
        """Write a kubeconfig that leads here."""
        document = {
            "current-context": "faults",
            "clusters": [{"name": "faults", "cluster": {"server": self.url}}],
            "users": [{"name": "faults", "user": user or {"token": "any"}}],
            "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "faults"}}],
        }
        path.write_text(json.dumps(document))
        return str(path)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        watch = request.query.get("watch") in {"true", "1"}
        method = "WATCH" if watch else request.method
        self.seen.append(f"{method} {request.path_qs}")
        data = await request.read()
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _answered(status(401, "Unauthorized", "Unauthorized"))
        rule = self._rule(method, request.path_qs)
        match rule.fault if rule else None:
            case Answer(late=False) as answer:
                await _meanwhile(rule)
                return _answered(answer)
            case Reset(late=False, half=False):
                await _meanwhile(rule)
                return _reset(request)
            case Delay(seconds):
                await asyncio.sleep(seconds)
        return await self._forward(request, data, rule, watch=watch)

    async def _forward(self, request: web.Request, data: bytes, rule: _Rule | None, *, watch: bool) -> web.StreamResponse:
        assert self._session is not None
        fault = rule.fault if rule else None
        self.passed.append(f"{request.method} {request.path_qs}")
        drop = {"host", "authorization", "content-length", "accept-encoding"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in drop}
        opening = self._session.request(request.method, self.upstream + request.raw_path, data=data or None, headers=headers)
        async with self._openings.begun(opening) as answer:
            if watch and answer.status == 200:
                return await _watched(request, answer, fault if isinstance(fault, Lines) else Lines())
            body = await answer.read()
            await _meanwhile(rule)
            match fault:
                case Answer() as other:
                    return _answered(other)
                case Reset(half=True):
                    return await _halved(request, body)
                case Reset():
                    return _reset(request)
                case _:
                    return web.Response(body=body, status=answer.status, content_type=answer.content_type)

    def _rule(self, method: str, path: str) -> _Rule | None:
        for rule in self._rules:
            if rule.times > 0 and rule.method in {"", method} and rule.path in path and not (rule.unless and rule.unless in path):
                rule.times -= 1
                return rule
        return None


async def _meanwhile(rule: _Rule | None) -> None:
    if rule is not None and rule.meanwhile is not None:
        await rule.meanwhile()


def _answered(answer: Answer) -> web.Response:
    headers = {name: value if isinstance(value, str) else value() for name, value in answer.headers.items()}
    return web.Response(body=answer.body, status=answer.status, headers=headers)


def _reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _halved(request: web.Request, body: bytes) -> web.StreamResponse:
    out = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await out.prepare(request)
    await out.write(body[: len(body) // 2])
    _reset(request)
    return out


async def _watched(request: web.Request, answer: aiohttp.ClientResponse, lines: Lines) -> web.StreamResponse:
    out = web.StreamResponse(headers={"Content-Type": "application/json"})
    await out.prepare(request)
    try:
        if lines.after == 0:
            await _play(request, out, lines)
        passed, rest = 0, b""
        if lines.after or lines.end == "go":
            async for chunk in answer.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    await out.write(line + b"\n")
                    passed += 1
                    if passed == lines.after:
                        await _play(request, out, lines)
                        if lines.end != "go":
                            return out
    except ConnectionError:
        pass
    return out


async def _play(request: web.Request, out: web.StreamResponse, lines: Lines) -> None:
    for line in lines.first:
        await out.write(line)
    match lines.end:
        case "cut":
            await asyncio.sleep(0.01)
            _reset(request)
        case "stay":
            await asyncio.sleep(3600)


@asynccontextmanager
async def fault_proxy(upstream: str, authority: Path, token: str) -> AsyncIterator[FaultProxy]:
    """A proxy on a free loopback port, speaking plain HTTP, that adds the real token."""
    proxy = FaultProxy(upstream, authority, token)
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{path:.*}", proxy._handle)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=str(authority)))
    limits = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {token}"}, timeout=limits) as session:
        proxy._session = session
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await runner.cleanup()
            await proxy._openings.settle()
