"""Requests as they are: connections, time limits, second attempts with pauses. Knows nothing of logins, follows no redirects, keeps no cookies."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

from pipelines.adapters.registry.failures import unreachable
from pipelines.adapters.registry.quick import httpx
from pipelines.adapters.registry.settings import Settings, is_loopback

ERROR_LIMIT = 16 << 10
"""Bytes of an error's body that are read."""
PASSING = (408, 429, 500, 502, 503, 504)
"""Statuses that another attempt may cure. 500 is one: docker-registry gives it for a blob that somebody else puts into the repository just then."""
SILENT = 2
"""Attempts where nobody answers at all: a name or a port that is wrong stays wrong, and waiting long is done twice at most."""
_SILENCE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, TimeoutError)
_PORTS = 65535
Got = TypeVar("Got")
Content = Callable[[], AsyncIterator[bytes]]


class Answer(NamedTuple):
    """An answer that has been read to its end, or to its limit: then `is_cut`."""

    status: int
    headers: httpx.Headers
    body: bytes = b""
    is_cut: bool = False

    @property
    def kind(self) -> str:
        """Its media type, without parameters."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()


class Request(NamedTuple):
    """A request to one address. `content` gives the body anew for each attempt."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes = b""
    content: Content | None = None


class Wire:
    """Connections to any number of hosts, opened when first needed."""

    def __init__(self, settings: Settings) -> None:
        self.pace = settings.pace
        self._settings = settings
        self.sleep = settings.sleep or asyncio.sleep
        self._transports: dict[tuple[str, bool], httpx.AsyncHTTPTransport] = {}
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._closed_until: dict[str, float] = {}

    async def open(self, request: Request) -> httpx.Response:
        """Send, and return once the headers are there. Whoever asked closes it."""
        pace = self.pace
        timeout = {"connect": pace.connect, "read": pace.idle, "write": pace.idle, "pool": None}
        headers = {"User-Agent": "fleetwright", "Accept-Encoding": "identity", **request.headers}
        content = request.content() if request.content else request.body
        sent = httpx.Request(request.method, request.url, headers=headers, content=content, extensions={"timeout": timeout})
        if (request.url.port or 0) > _PORTS:
            raise httpx.ConnectError(f"there is no port {request.url.port}")
        try:
            response = await self._transport(request.url).handle_async_request(sent)
        except UnicodeError as wrong:  # of the socket library, about names that nobody can have
            raise httpx.ConnectError(str(wrong)) from wrong
        finally:
            if isinstance(content, AsyncGenerator):
                await content.aclose()
        response.request = sent
        return response

    async def read(self, response: httpx.Response, limit: int) -> Answer:
        """The answer's body, up to a limit; then the connection is closed, so the rest costs nothing."""
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    break
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, bytes(body[:limit]), len(body) > limit)

    async def patiently(self, host: str, doing: str, attempt: Callable[[], Awaitable[Got]]) -> Got:
        """Attempt until it succeeds or nothing is left to hope for. What it returns is tried again where it has one of PASSING as status."""
        number = 0
        while True:
            number += 1
            await self._wait_for_turn(host)
            try:
                async with self._lane(host), asyncio.timeout(self.pace.whole):
                    got = await attempt()
            except (httpx.TransportError, TimeoutError) as why:
                most = SILENT if isinstance(why, _SILENCE) else self.pace.attempts
                if number >= min(most, self.pace.attempts) or _is_certificate(why):
                    raise unreachable(host, doing, why) from why
                await self.rest(host, number)
                continue
            if number >= self.pace.attempts or not self.may_pass(got):
                return got
            await self.rest(host, number, got if isinstance(got, Answer) else None)

    def may_pass(self, got: object) -> bool:
        """Whether an answer is one that another attempt may cure."""
        return isinstance(got, Answer) and got.status in PASSING

    async def rest(self, host: str, number: int, answer: Answer | None = None) -> None:
        """Pause after an attempt: as long as the server says, else doubling; half of it is chance. A 429 makes all wait for that host."""
        ceiling = min(self.pace.first * 2 ** (number - 1), self.pace.longest)
        pause = ceiling / 2 + random.random() * ceiling / 2  # noqa: S311 - spreads attempts, keeps no secret
        asked = _retry_after(answer.headers.get("retry-after", "")) if answer else 0.0
        pause = min(max(pause, asked), self.pace.longest)
        if answer and answer.status == 429:
            self._closed_until[host] = asyncio.get_running_loop().time() + pause
        else:
            await self.sleep(pause)

    async def close(self) -> None:
        """Close all connections."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    async def _wait_for_turn(self, host: str) -> None:
        left = self._closed_until.get(host, 0.0) - asyncio.get_running_loop().time()
        if left > 0:
            await self.sleep(left)

    def _lane(self, host: str) -> asyncio.Semaphore:
        return self._lanes.setdefault(host, asyncio.Semaphore(self.pace.at_once))

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        """One for each scheme: reading the system's certificates takes 20 ms, which plain loopback can do without. A proxy is for others."""
        key = url.scheme, is_loopback(url.host)
        if key not in self._transports:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=self.pace.at_once)
            verify = self._certificates() if url.scheme == "https" else False
            proxy = None if key[1] else self._settings.proxy
            self._transports[key] = httpx.AsyncHTTPTransport(verify=verify, limits=limits, proxy=proxy, trust_env=False)
        return self._transports[key]

    def _certificates(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"] and not context.get_ca_certs():
            context = httpx.create_ssl_context(trust_env=False)  # a bare image has no certificates; those of certifi will do
        if self._settings.authorities:
            context.load_verify_locations(self._settings.authorities)
        return context


def _retry_after(value: str) -> float:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); 0 for what is neither."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _is_certificate(why: BaseException) -> bool:
    return "CERTIFICATE" in str(why).upper()
