"""Requests to an API server: connections, credentials, and retries for as long as they are safe."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from reconciler.adapters.cluster import failures
from reconciler.adapters.cluster.credentials import Certificate, Identity, identify, renewable
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.adapters.cluster.openings import Openings
from reconciler.adapters.cluster.route import Trust, proxy, tls_context
from reconciler.model.value import dataclass
from reconciler.ports import OnRequest

CONNECTIONS = 50
_RETRIED = frozenset({429, 500, 502, 503, 504})
_INTERNAL_TRIES = 3
"""A 500 with a Status may be a webhook that fails for ever: after so many tries it is an answer."""
_FIRST_TRIES = 5
"""So often a server may break connections before it ever answered; one that cannot be connected to is tried twice."""
_LONGEST_WAIT = 60.0
_FAREWELL = 0.1
"""What a TLS connection that was cut short needs to end; aiohttp does not wait for it."""
_DISTRUST = (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)
_FAULTS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Pace(NamedTuple):
    """How patient to be, in seconds."""

    patience: float = 30.0
    """For one request with all its retries. A server that was never reached gets two tries."""
    first: float = 0.1
    """The wait after the first try; it doubles up to `longest`, with jitter."""
    longest: float = 5.0
    connect: float = 10.0
    answer: float = 65.0
    """Longest silence inside an answer; the API server ends requests after 60 s."""
    silence: float = 70.0
    """Longest silence of a watch: bookmarks come every minute."""


class Reply(NamedTuple):
    """What a request got. `ambiguous`: an earlier try of it may have taken effect."""

    status: int
    body: bytes
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class _Door:
    """A session with the credentials that it is for."""

    identity: Identity
    session: aiohttp.ClientSession
    headers: Mapping[str, str]
    authority: str | None

    def headed(self, content: str | None, accept: str | None, user: str | None) -> dict[str, str]:
        """The headers of one request."""
        given = {"Content-Type": content, "Accept": accept, "Impersonate-User": user}
        return {**self.headers, **{name: value for name, value in given.items() if value}}


class Transport:
    """One API server by at most 50 connections."""

    def __init__(self, access: Access, pace: Pace, on_request: OnRequest | None = None) -> None:
        self.access = access
        self.pace = pace
        self._tell: OnRequest = on_request or _nobody
        self._door: _Door | None = None
        self._trust = Trust(access)
        self._sessions: dict[tuple[Certificate | None, str | None], aiohttp.ClientSession] = {}
        self._renewal = asyncio.Lock()
        self._openings = Openings()
        self._cut_short = False
        self._connected = False
        route = {"proxy": access.proxy or proxy(access.server), "server_hostname": access.server_name}
        self._route: Any = {name: value for name, value in route.items() if value}

    async def send(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        content: str | None = None,
        accept: str | None = None,
        user: str | None = None,
    ) -> Reply:
        """One request, as `user` where that is said, retried while that may help. Raises Unreachable; every other status is an answer."""
        deadline = time.monotonic() + self.pace.patience
        ambiguous = renewed = False
        door, url, tries = await self._open(), self._url(path), 0
        while True:
            tries, began = tries + 1, time.monotonic()
            try:
                headers = door.headed(content, accept, user)
                async with door.session.request(method, url, data=data, headers=headers, **self._route) as response:
                    status, told, body = response.status, response.headers.get("Retry-After"), await response.read()
            except asyncio.CancelledError:
                self._cut_short = True
                raise
            except _FAULTS as fault:
                self._tell(method, 0, time.monotonic() - began)
                if await self._trusts_anew(fault, door):
                    door = await self._open()
                    continue
                ambiguous |= not isinstance(fault, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
                await self._endure(fault, tries, deadline, ambiguous=ambiguous)
                continue
            self._connected = True
            self._tell(method, status, time.monotonic() - began)
            if status == 401:
                door, renewed = await self._reopen(door, again=renewed), True
            elif status not in _RETRIED or _settled(status, tries, body):
                return Reply(status, body, ambiguous)
            else:
                ambiguous |= status != 429
                delay = self.delay(tries, told)
                if time.monotonic() + delay > deadline:
                    raise failures.unanswered(self.access, status, body, ambiguous=ambiguous)
                await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """One answer that has no end. Raises what aiohttp raises, and Unreachable for credentials: who watches tries again by itself."""
        door = await self._open()
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self.pace.connect, sock_read=self.pace.silence)
        began = time.monotonic()
        opening = door.session.get(self._url(path), headers=door.headers, timeout=limits, **self._route)
        try:
            async with self._openings.begun(opening) as response:
                self._tell("WATCH", response.status, time.monotonic() - began)
                if response.status == 401:
                    await self._reopen(door, again=False)
                yield response
        except _DISTRUST as fault:
            await self._trusts_anew(fault, door)
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._openings.settle()
        sessions, self._door = list(self._sessions.values()), None
        self._sessions.clear()
        for session in sessions:
            await session.close()
        if self._cut_short and self.access.server.startswith("https:"):
            await asyncio.sleep(_FAREWELL)

    def delay(self, tries: int, told: str | None = None) -> float:
        """Seconds to wait after so many tries: exponential with jitter, and no less than the server's Retry-After says."""
        longest = min(self.pace.longest, self.pace.first * 2 ** min(tries - 1, 16))
        return max(random.uniform(longest / 2, longest), _retry_after(told))  # noqa: S311  # jitter needs no secrecy

    def _url(self, path: str) -> URL:
        return URL(self.access.server + path, encoded=True)

    async def _endure(self, fault: BaseException, tries: int, deadline: float, *, ambiguous: bool) -> None:
        """Wait before the next try, or raise: what never answered is not waited for."""
        hopeless = isinstance(fault, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError)
        never = not self._connected and tries > (_FIRST_TRIES if ambiguous else 1)
        delay = self.delay(tries)
        if hopeless or never or time.monotonic() + delay > deadline:
            raise failures.broken(self.access, fault, ambiguous=ambiguous) from None
        await asyncio.sleep(delay)

    async def _open(self) -> _Door:
        """The session with credentials that are good for now."""
        if self._door is not None and self._door.identity.expires > time.time():
            return self._door
        return await self._renew(self._door)

    async def _trusts_anew(self, fault: BaseException, door: _Door) -> bool:
        """Whether the server's certificate was refused by certificates that have been renewed since."""
        if not isinstance(fault, _DISTRUST):
            return False
        await asyncio.to_thread(self._trust.read_again)
        if door.authority == self._trust.authority:
            return False
        if self._door is door:
            self._door = None
        return True

    async def _reopen(self, refused: _Door, *, again: bool) -> _Door:
        """Other credentials than those that were refused, asked for once by all who find them wanting."""
        if again or not renewable(self.access.tokens):
            raise failures.unauthorized(self.access)
        return await self._renew(refused)

    async def _renew(self, old: _Door | None) -> _Door:
        async with self._renewal:
            if self._door is None or self._door is old:
                identity = await identify(self.access.tokens)
                session = self._session(identity.certificate or self.access.certificate)
                headers = {"Authorization": identity.authorization} if identity.authorization else {}
                self._door = _Door(identity, session, headers, self._trust.authority)
            return self._door

    def _session(self, certificate: Certificate | None) -> aiohttp.ClientSession:
        """The session of this client certificate and this trust; those of earlier ones stay open for what still runs on them."""
        key = certificate, self._trust.authority
        if key not in self._sessions:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls_context(self.access, self._trust.authority, certificate))
            headers = CIMultiDict([("Accept", "application/json"), ("User-Agent", "fleetwright"), *self.access.headers])
            limits = aiohttp.ClientTimeout(total=None, sock_connect=self.pace.connect, sock_read=self.pace.answer)
            session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=limits)
            # aiohttp would send a PUT or DELETE again unasked when a kept connection breaks, and its 409 or 404 would look like the first answer.
            session._retry_connection = False  # noqa: SLF001
            self._sessions[key] = session
        return self._sessions[key]


def _nobody(_method: str, _status: int, _seconds: float) -> None:
    """Nobody wants to know."""


def _settled(status: int, tries: int, body: bytes) -> bool:
    """Whether a 500 is an answer: it blames the object, or it says the same again and again."""
    return failures.misshapen(status, body) or (status == 500 and tries >= _INTERNAL_TRIES and bool(failures.status_of(body)))


def _retry_after(told: str | None) -> float:
    """Seconds of a Retry-After: a number or an HTTP date (RFC 9110 section 10.2.3); nonsense is no wait."""
    if told is None:
        return 0.0
    try:
        seconds = float(told) if told.strip().isdigit() else parsedate_to_datetime(told).timestamp() - time.time()
    except (ValueError, TypeError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)
