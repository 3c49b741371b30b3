"""Requests to repositories: logged in where asked for, redirected where that is safe, read to a limit, tried again where that may help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pipelines.adapters.registry import settings as hosts
from pipelines.adapters.registry.challenge import challenges
from pipelines.adapters.registry.failures import printable, unreachable
from pipelines.adapters.registry.quick import httpx
from pipelines.adapters.registry.settings import Settings
from pipelines.adapters.registry.tokens import Tokens
from pipelines.adapters.registry.wire import ERROR_LIMIT, Answer, Content, Request, Wire
from pipelines.core.manifest import LIMIT
from pipelines.model.oci import Repository
from pipelines.model.reference import HOST, PATH
from pipelines.ports import RegistryFault
from reconciler.model.value import dataclass

REDIRECTS = 5
_REDIRECTED = (301, 302, 303, 307, 308)
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to ask of a repository. `doing` completes "asked to ..."."""

    method: str
    repository: Repository
    path: str
    """Below the repository's own address, such as `manifests/latest`; or a whole address that `same_place` has checked."""
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Content | None = None
    actions: str = "pull"
    also: tuple[Repository, ...] = ()
    """Other repositories of the host that it reads."""
    follows: bool = True
    """Whether it may be sent elsewhere; only what reads is."""
    repeats: bool = True
    """Whether `content` can be had again."""

    @property
    def scopes(self) -> frozenset[str]:
        """What a token for it must allow (distribution, "Token Scope Documentation")."""
        others = (f"repository:{other.path}:pull" for other in self.also)
        return frozenset({f"repository:{self.repository.path}:{self.actions}", *others})


class Transport:
    """Speaks to every host as the settings say."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.wire = Wire(settings)
        self._tokens = Tokens(settings, self.wire)

    async def ask(self, ask: Ask, limit: int = LIMIT) -> Answer:
        """Any status, and the body up to a limit. Attempts that may pass are made again. Raises RegistryFault where there is no answer."""
        return await self.wire.patiently(ask.repository.host, ask.doing, lambda: self.once(ask, limit))

    async def once(self, ask: Ask, limit: int = LIMIT) -> Answer:
        """The same in one attempt; httpx's own exceptions come through."""
        response = await self._open(ask)
        if isinstance(response, Answer):
            return response
        return await self.wire.read(response, limit if response.status_code < 300 else ERROR_LIMIT)

    async def send(self, ask: Ask) -> Answer:
        """A transfer: one attempt, for as long as it takes. Raises RegistryFault where there is no answer."""
        try:
            return await self.once(ask)
        except httpx.TransportError as why:
            raise unreachable(ask.repository.host, ask.doing, why) from why

    async def stream(self, ask: Ask) -> httpx.Response | Answer:
        """An open answer where it is 200 or 206, else what was answered."""

        async def attempt() -> httpx.Response | Answer:
            response = await self._open(ask)
            if isinstance(response, Answer) or response.status_code in (200, 206):
                return response
            return await self.wire.read(response, ERROR_LIMIT)

        return await self.wire.patiently(ask.repository.host, ask.doing, attempt)

    async def close(self) -> None:
        """Close all connections."""
        await self.wire.close()

    def resolve(self, ask: Ask, location: str, doing: str) -> str:
        """A whole address at the registry itself, from a Location or Link header. Another host could be anyone's; raises RegistryFault."""
        host = ask.repository.host
        base = self._url(ask)
        try:
            url = base.join(location)
        except (httpx.InvalidURL, UnicodeError):
            url = httpx.URL()
        if url.scheme == "http" and base.scheme == "https" and url.host == base.host and url.port in (None, 80):
            url = url.copy_with(scheme="https", port=base.port)  # a registry behind a proxy that ends TLS and does not say so
        if url.userinfo or _origin(url) != _origin(base):
            raise RegistryFault(f"{host} wants to {doing} at another place: {_shown(location)}", "ask whoever runs it")
        return str(url)

    async def _open(self, ask: Ask) -> httpx.Response | Answer:
        url, host, path = self._url(ask), ask.repository.host, ask.repository.path
        authorization = await self._tokens.header(host, path, ask.scopes)
        response = await self._follow(ask, url, authorization)
        if response.status_code != 401 or _origin(response.request.url) != _origin(url):
            return response
        offered = challenges(response.headers.get_list("www-authenticate"))
        refused = await self.wire.read(response, ERROR_LIMIT)
        again = await self._tokens.challenged(host, path, ask.scopes, offered, authorization) if offered and ask.repeats else ""
        return await self._follow(ask, url, again) if again else refused

    async def _follow(self, ask: Ask, url: httpx.URL, authorization: str) -> httpx.Response:
        """Redirects of reads, at most five. The login goes to the registry's own origin only, and TLS is never left."""
        home = _origin(url)
        for _ in range(REDIRECTS + 1):
            login = {"Authorization": authorization} if authorization and _origin(url) == home else _NOTHING
            response = await self.wire.open(Request(ask.method, url, {**ask.headers, **login}, ask.body, ask.content))
            if response.status_code not in _REDIRECTED or not ask.follows or ask.method not in ("GET", "HEAD"):
                return response
            location = response.headers.get("location", "")
            await self.wire.read(response, ERROR_LIMIT)
            url = self._next(ask, url, location)
        raise RegistryFault(f"{ask.repository.host} redirects more than {REDIRECTS} times when asked to {ask.doing}")

    def _next(self, ask: Ask, url: httpx.URL, location: str) -> httpx.URL:
        try:
            target = url.join(location)
        except (httpx.InvalidURL, UnicodeError):
            target = httpx.URL()
        is_local = url.scheme == "http" and (hosts.is_loopback(target.host) or _authority(target) in self.settings.plain)
        if location and target.host and not target.userinfo and (target.scheme == "https" or (target.scheme == "http" and is_local)):
            return target
        raise RegistryFault(f"{ask.repository.host} redirects to {_shown(location)} when asked to {ask.doing}", "ask whoever runs it")

    def _url(self, ask: Ask) -> httpx.URL:
        repository = ask.repository
        if "://" in ask.path:
            return httpx.URL(ask.path)
        if not HOST.fullmatch(repository.host) or not PATH.fullmatch(repository.path):
            raise RegistryFault(f"{printable(str(repository), 120)} is no repository")
        try:
            return httpx.URL(f"{hosts.origin(self.settings, repository.host)}/v2/{repository.path}/{ask.path}")
        except (httpx.InvalidURL, UnicodeError) as wrong:
            raise RegistryFault(f"{printable(str(repository), 120)} is no repository: {wrong}") from None


def _shown(location: str) -> str:
    """An address for people, without its query: signatures stand there."""
    return printable(location.partition("?")[0], 120) or "nowhere"


def _authority(url: httpx.URL) -> str:
    return url.netloc.decode("ascii", "replace")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
