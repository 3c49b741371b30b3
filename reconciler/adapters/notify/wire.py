"""The wire of notifications: only https, no redirects, no proxies, never to where only the operator gets; and the secrets for it."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from reconciler.core.reach import unreachable
from reconciler.model.fleet import Notification

TIMEOUT = 15.0
"""Seconds for one request."""
FAULTS = (TimeoutError, aiohttp.ClientError, OSError, ValueError)
"""What may become of a request. `said` has words for them."""
_LARGEST_SECRET = 4096
_KEPT_ALIVE = 30.0


class Refused(Exception):
    """It may not be sent; the message says why, without what is secret."""


class Wire:
    """Requests. `secrets` is the folder that a Kubernetes Secret is mounted at; each file is read anew, so a change counts at once.

    `trial` allows the machine itself, and http to it.
    """

    def __init__(self, secrets: Path, *, trial: bool = False, tls: Any = True) -> None:
        self._secrets, self._trial, self._tls = secrets, trial, tls
        self._sessions: dict[tuple[str, ...], aiohttp.ClientSession] = {}

    def secret(self, name: str | None) -> str:
        """What a file of the Secret holds. Raises Refused where that is nothing to be sent."""
        assert name is not None
        try:
            with (self._secrets / name).open("rb") as file:
                text = file.read(_LARGEST_SECRET).decode().strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not re.fullmatch(r"[\x21-\x7e]+", text):
            raise Refused(f"there is no secret {name}, or it is empty or no single word; it is a key of the Secret for notifications")
        return text

    def checked(self, text: str, target: Notification) -> URL:
        """The address, as far as it can be judged before its host is looked up. Raises Refused."""
        try:
            url = URL(text)
        except ValueError:
            url = URL()
        if url.scheme not in {"https", "http"} or not url.host or url.user is not None:
            raise Refused("its address is none, or has a password in it")
        host = url.host
        with suppress(OSError):  # every way to write an IPv4 address (`127.1`, `0x7f000001`) is one, and is not looked up
            host = socket.inet_ntoa(socket.inet_aton(host))
        literal = ":" in host or host.replace(".", "").isdigit()
        if literal and (why := unreachable(host, host, target.private_hosts, trial=self._trial)):
            raise Refused(why)
        local = host in {"127.0.0.1", "::1", "localhost"}
        if url.scheme == "http" and not (self._trial and local):
            raise Refused(f"the address of {url.host} is not https")
        return url

    @asynccontextmanager
    async def asked(
        self, target: Notification, method: str, url: URL, headers: Mapping[str, str], data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request to a `checked` address. Raises FAULTS."""
        session = self._session(target.private_hosts)
        async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            yield response

    async def close(self) -> None:
        """Let go of connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, private_hosts: tuple[str, ...]) -> aiohttp.ClientSession:
        if private_hosts not in self._sessions:
            resolver = _Guarded(private_hosts, trial=self._trial)
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=8, ssl=self._tls, keepalive_timeout=_KEPT_ALIVE)
            timeout = aiohttp.ClientTimeout(total=TIMEOUT)
            self._sessions[private_hosts] = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._sessions[private_hosts]


class _Guarded(AbstractResolver):
    """Names as the system resolves them, if all addresses may be reached: what was checked is what is connected to."""

    def __init__(self, private_hosts: tuple[str, ...], *, trial: bool) -> None:
        self._private_hosts, self._trial = private_hosts, trial
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError where one of them may not be reached."""
        found = await self._system.resolve(host, port, family)
        for one in found:
            if why := unreachable(one["host"], host, self._private_hosts, trial=self._trial):
                raise OSError(None, why)
        return found

    async def close(self) -> None:
        """Nothing is open."""


def waits(told: str | None) -> float:
    """Seconds that `Retry-After` asks for; zero where it says nothing that is a number."""
    return float(told) if told and told.isascii() and told.isdigit() and len(told) < 6 else 0.0


def said(fault: BaseException) -> str:
    """What went wrong, without the address: its path may be a secret."""
    match fault:
        case TimeoutError():
            return f"no answer in {TIMEOUT:g} s"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            return fault.os_error.strerror or "it cannot be reached"
        case OSError() if fault.strerror:
            return fault.strerror
        case _:
            return "the connection broke"
