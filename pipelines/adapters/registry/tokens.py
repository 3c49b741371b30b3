"""Logs in: the token protocol of registries (distribution, "Token Authentication Specification" and "OAuth2"), and Basic.

Credentials go to the registry's own host or to the token server that it names, over TLS or loopback, and to nobody else.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from pipelines.adapters.registry import settings as hosts
from pipelines.adapters.registry.challenge import Challenge
from pipelines.adapters.registry.failures import fault, printable, refusal, unreachable
from pipelines.adapters.registry.quick import httpx
from pipelines.adapters.registry.settings import Login, Settings
from pipelines.adapters.registry.wire import Answer, Request, Wire
from pipelines.ports import Denied, RegistryFault, Unreachable

CLIENT = "fleetwright"
ANSWER_LIMIT = 256 << 10
SHORTEST, LONGEST = 60.0, 3600.0
"""Seconds that a token is used at most, whatever the server says of it; 60 where it says nothing (the specification's default)."""
EARLY = 5.0
"""Seconds before its end that a token is renewed."""
_SENDABLE = re.compile(r"[\x21-\x7e]{1,65536}")
_SCOPE = re.compile(r"[a-z]+(\([a-z]+\))?:[A-Za-z0-9./_:-]+:[a-z,*]+")
Scopes = frozenset[str]


@dataclass(slots=True)
class _Door:
    """What is known of one host: how it wants us to log in, and the tokens that it gave."""

    challenge: Challenge | None = None
    tokens: dict[tuple[str, Scopes], tuple[str, float]] = field(default_factory=dict)
    lock: dict[tuple[str, Scopes], asyncio.Lock] = field(default_factory=dict)


class Tokens:
    """The Authorization header for each host and scope. Many requests that need the same token wait for one to fetch it."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        self._doors: dict[str, _Door] = {}

    async def header(self, host: str, path: str, scopes: Scopes) -> str:
        """What to send at once; empty while the host has never demanded anything."""
        door = self._door(host)
        if door.challenge is None and host in self._settings.doors:
            return await self._guess(host, path, scopes)
        return await self._answer(host, path, scopes, door.challenge, "") if door.challenge else ""

    async def _guess(self, host: str, path: str, scopes: Scopes) -> str:
        """A token from where the host is thought to send everybody; what is wrong with that, the host will say."""
        realm, service = self._settings.doors[host]
        challenge = Challenge("bearer", {"realm": realm, "service": service})
        try:
            return await self._bearer(host, path, scopes, challenge, "")
        except Unreachable:
            raise
        except RegistryFault:
            return ""

    async def challenged(self, host: str, path: str, scopes: Scopes, offered: Iterable[Challenge], refused: str) -> str:
        """What to send after a 401 to `refused`; empty when there is nothing else to try."""
        if hosts.origin(self._settings, host).startswith("http:") and not hosts.is_loopback(hosts.without_port(host)):
            raise Denied(f"{host} wants a login, and gets none over plain HTTP", "give it TLS", status=401)
        known = {challenge.scheme: challenge for challenge in reversed(tuple(offered))}
        chosen = known.get("bearer") or known.get("basic")
        if chosen is None:
            ways = printable(", ".join(known), 80) or "nothing that can be read"
            raise Denied(f"{host} wants a login by {ways}", "Bearer and Basic are what we know", status=401)
        self._door(host).challenge = chosen
        asked = chosen.parameters.get("scope", "").split(" ")
        wanted = scopes | {scope for scope in asked if _SCOPE.fullmatch(scope) and f":{path}:" in scope and not _covers(scopes, scope)}
        header = await self._answer(host, path, wanted, chosen, refused)
        tokens = self._door(host).tokens
        if (path, wanted) in tokens:
            tokens[path, scopes] = tokens[path, wanted]  # or the next request would be refused first
        return header

    async def _answer(self, host: str, path: str, scopes: Scopes, challenge: Challenge, refused: str) -> str:
        if challenge.scheme == "bearer":
            return await self._bearer(host, path, scopes, challenge, refused)
        login = await self._settings.logins.find(host, path)
        header = _basic(login) if login and login.password else ""
        return "" if header == refused else header

    async def _bearer(self, host: str, path: str, scopes: Scopes, challenge: Challenge, refused: str) -> str:
        door, key = self._door(host), (path, scopes)
        async with door.lock.setdefault(key, asyncio.Lock()):
            token, until = door.tokens.get(key, ("", 0.0))
            now = asyncio.get_running_loop().time()
            if not token or now >= until or f"Bearer {token}" == refused:
                token, life = await self._fetch(host, path, scopes, challenge)
                door.tokens[key] = token, now + life
        return f"Bearer {token}"

    async def _fetch(self, host: str, path: str, scopes: Scopes, challenge: Challenge) -> tuple[str, float]:
        realm = self._realm(host, challenge.parameters.get("realm", ""))
        login = await self._settings.logins.find(host, path)
        request = _token_request(realm, challenge.parameters.get("service", ""), scopes, login)
        place, doing = printable(realm.netloc.decode("ascii", "replace"), 80), f"give a token for {host}"

        async def once() -> Answer:
            return await self._wire.read(await self._wire.open(request), ANSWER_LIMIT)

        answer = await self._wire.patiently(f"token server {place}", doing, once)
        if answer.status != 200:
            raise _refused(f"token server {place}", doing, answer, login)
        return _token(place, answer)

    def _realm(self, host: str, realm: str) -> httpx.URL:
        """The token server's address, if it is one that may see credentials."""
        try:
            url = httpx.URL(realm)
        except (httpx.InvalidURL, UnicodeError):
            url = httpx.URL()
        local = hosts.is_loopback(hosts.without_port(host)) and hosts.is_loopback(url.host)
        if not url.host or url.userinfo or not (url.scheme == "https" or (url.scheme == "http" and local)):
            message = f"{host} names a token server that gets no credentials: {printable(realm, 120) or 'none'}"
            raise Denied(message, "it must be https, without a name or password in it", status=401)
        return url

    def _door(self, host: str) -> _Door:
        return self._doors.setdefault(host, _Door())


def _covers(scopes: Scopes, scope: str) -> bool:
    """Whether something that allows at least this is asked for already."""
    resource, _, actions = scope.rpartition(":")
    return any(set(actions.split(",")) <= set(own.rpartition(":")[2].split(",")) for own in scopes if own.rpartition(":")[0] == resource)


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.name}:{login.password}".encode()).decode()


def _token_request(realm: httpx.URL, service: str, scopes: Scopes, login: Login | None) -> Request:
    """GET with Basic, or POST with an identity token. Several scopes are several parameters, or one with spaces."""
    named = [("service", service)] if service else []
    if login and login.identity_token:
        fields = [*named, ("scope", " ".join(sorted(scopes))), ("client_id", CLIENT)]
        form = urlencode([("grant_type", "refresh_token"), ("refresh_token", login.identity_token), *fields])
        return Request("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, form.encode())
    query = urlencode([*named, *(("scope", scope) for scope in sorted(scopes))]).encode()
    url = realm.copy_with(query=realm.query + b"&" + query if realm.query else query)
    return Request("GET", url, {"Authorization": _basic(login)} if login and login.password else {})


def _refused(place: str, doing: str, answer: Answer, login: Login | None) -> RegistryFault:
    told = refusal(answer.status, answer.kind, answer.body)
    if answer.status in (400, 401, 403):
        fix = (
            "the credentials are wrong or too old: log in again"
            if login
            else "log in with `docker login`, `podman login` or `skopeo login`"
        )
        return Denied(f"{place} answered {answer.status} when asked to {doing}: {told.words or told.code}", fix, status=answer.status)
    if answer.status >= 500:
        return Unreachable(str(fault(place, doing, told)), "try again later", status=answer.status)
    return fault(place, doing, told)


def _token(place: str, answer: Answer) -> tuple[str, float]:
    """The token and for how many seconds to use it."""
    try:
        fields: Any = orjson.loads(answer.body)
        token = fields.get("token") or fields.get("access_token")
        life = fields.get("expires_in")
    except (orjson.JSONDecodeError, AttributeError):
        token, life = None, None
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise unreachable(f"token server {place}", "give a token", ValueError("what it gave is no token"))
    seconds = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else SHORTEST
    return token, min(max(seconds, SHORTEST), LONGEST) - EARLY
