"""The port Post over HTTP: signed webhooks, Slack's shape, GitHub's commit statuses; never to where only the operator gets."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from reconciler.core.address import for_github, for_slack
from reconciler.core.reach import unreachable
from reconciler.model.fleet import Notification
from reconciler.ports import Letter, Posted

GITHUB = "https://api.github.com"
TIMEOUT = 15.0
"""Seconds for one try."""
_LARGEST_SECRET = 4096
_HOPELESS = frozenset({400, 405, 410, 411, 413, 414, 415, 422, 431})
"""The same letter gets the same answer. 401, 403 and 404 are not here: a person can put them right."""
_KEPT_ALIVE = 30.0


class _Refused(Exception):
    """It may not be sent; the message says why, without what is secret."""


class _Garbled(Exception):
    """A letter that is none."""


class _Request(NamedTuple):
    url: str
    data: bytes
    headers: Mapping[str, str]


class HttpPost:
    """Carries letters. `secrets` is the folder that a Kubernetes Secret is mounted at; each file is read anew, so a change counts at once.

    Only https, without redirects or proxies; `trial` allows the machine itself, and http to it.
    """

    def __init__(self, secrets: Path, *, trial: bool = False, now: Callable[[], float] = time.time, tls: Any = True) -> None:
        self._secrets, self._trial, self._now, self._tls = secrets, trial, now, tls
        self._sessions: dict[tuple[str, ...], aiohttp.ClientSession] = {}

    async def send(self, target: Notification, letter: Letter) -> Posted:
        """Try once."""
        host = "the target"
        try:
            request = self._request(target, letter)
            url = self._checked(request.url, target)
            host = url.host or host
            session = self._session(target.private_hosts)
            async with session.post(url, data=request.data, headers=request.headers, allow_redirects=False) as response:
                return _posted(host, response.status, response.headers.get("Retry-After"))
        except _Refused as refused:
            return Posted(taken=False, reason=str(refused))
        except _Garbled:
            return Posted(taken=False, hopeless=True, reason="what was spooled is no message")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as fault:
            return Posted(taken=False, reason=f"{host} does not take it: {_said(fault)}")

    async def close(self) -> None:
        """Let go of connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _request(self, target: Notification, letter: Letter) -> _Request:
        body = _body(letter)
        headers = {"Content-Type": "application/json", "User-Agent": "fleetwright", "Idempotency-Key": letter.id}
        match target.type:
            case "webhook":
                data = letter.body.encode()
                signed = self._signature(self._secret(target.secret), letter.id, data)
                return _Request(target.url or self._secret(target.url_from), data, headers | signed)
            case "slack":
                return _Request(self._secret(target.url_from), orjson.dumps(for_slack(body)), headers)
            case "github":
                url = f"{(target.url or GITHUB).rstrip('/')}/repos/{target.repository}/statuses/{body['revision']}"
                token = {"Authorization": f"Bearer {self._secret(target.secret)}", "Accept": "application/vnd.github+json"}
                return _Request(url, orjson.dumps(for_github(body)), headers | token)

    def _signature(self, secret: str, id: str, data: bytes) -> dict[str, str]:
        """As Standard Webhooks has it (https://www.standardwebhooks.com): HMAC-SHA256 of `id.timestamp.body`."""
        moment = str(int(self._now()))
        mac = hmac.new(signing_key(secret), f"{id}.{moment}.".encode() + data, hashlib.sha256).digest()
        return {"webhook-id": id, "webhook-timestamp": moment, "webhook-signature": "v1," + base64.b64encode(mac).decode()}

    def _secret(self, name: str | None) -> str:
        assert name is not None
        try:
            with (self._secrets / name).open("rb") as file:
                text = file.read(_LARGEST_SECRET).decode().strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not re.fullmatch(r"[\x21-\x7e]+", text):
            raise _Refused(f"there is no secret {name}, or it is empty or no single word; it is a key of the Secret for notifications")
        return text

    def _checked(self, text: str, target: Notification) -> URL:
        """The address, as far as it can be judged before its host is looked up."""
        try:
            url = URL(text)
        except ValueError:
            url = URL()
        if url.scheme not in {"https", "http"} or not url.host or url.user is not None:
            raise _Refused("its address is none, or has a password in it")
        host = url.host
        with suppress(OSError):  # every way to write an IPv4 address (`127.1`, `0x7f000001`) is one, and is not looked up
            host = socket.inet_ntoa(socket.inet_aton(host))
        literal = ":" in host or host.replace(".", "").isdigit()
        if literal and (why := unreachable(host, host, target.private_hosts, trial=self._trial)):
            raise _Refused(why)
        local = host in {"127.0.0.1", "::1", "localhost"}
        if url.scheme == "http" and not (self._trial and local):
            raise _Refused(f"the address of {url.host} is not https")
        return url

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


def _body(letter: Letter) -> Mapping[str, str]:
    """What a letter says; the database may hold anything."""
    try:
        body = orjson.loads(letter.body)
        return {name: str(body[name]) for name in ("fleet", "environment", "topic", "text", "revision", "verdict")}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _Garbled from None


def signing_key(secret: str) -> bytes:
    """The bytes of a key: base64 behind `whsec_` (Standard Webhooks), or the text itself."""
    if secret.startswith("whsec_"):
        with suppress(binascii.Error):
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secret.encode()


def _posted(host: str, status: int, told: str | None) -> Posted:
    if 200 <= status < 300:
        return Posted(taken=True)
    wait = float(told) if told and told.isdigit() and len(told) < 6 else 0.0
    return Posted(taken=False, hopeless=status in _HOPELESS, reason=f"{host} answers {status}", wait=wait)


def _said(fault: BaseException) -> str:
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
