"""What ghcr.io holds, over GitHub's packages API: the registry itself deletes nothing (docs.github.com/rest/packages/packages)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from pipelines.model.oci import Repository
from pipelines.model.reference import DIGEST, TAG
from pipelines.model.stored import Version
from pipelines.ports import Denied, RegistryFault, Unreachable

if TYPE_CHECKING:
    import httpx

API = "https://api.github.com"
PAGE = 100
PAGES = 1000
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_SECONDS = 30.0
_MAY = "the token needs `read:packages` and `delete:packages`, and admin rights on the package"


class GithubPackages:
    """The port Storeroom. `token` is one of GitHub's; `api` the root of its API."""

    def __init__(self, token: str, api: str = API) -> None:
        self._token, self._api = token, api.rstrip("/")
        self._client: httpx.AsyncClient | None = None
        self._owners: dict[str, str] = {}

    async def versions(self, repository: Repository) -> tuple[Version, ...]:
        """Every version, tags and day of each included, page by page to the end."""
        home = await self._home(repository)
        if not home:
            return ()
        return tuple([_version(repository, one) async for one in self._pages(repository, f"{home}/versions")])

    async def remove(self, repository: Repository, version: Version) -> None:
        """Reads the version once more: one that has another tag by now stays."""
        if not version.id:
            raise RegistryFault(f"GitHub does not list {repository}@{version.digest}", "run it again")
        path = f"{await self._home(repository)}/versions/{version.id}"
        status, body = await self._ask("GET", path, repository)
        if status == 404:
            return
        now = _version(repository, _json(repository, body))
        if (now.digest, now.tags) != (version.digest, version.tags):
            raise RegistryFault(f"{repository}@{version.digest} has got other tags meanwhile: {', '.join(now.tags)}", "run it again")
        await self._ask("DELETE", path, repository)

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _home(self, repository: Repository) -> str:
        """The package's path below that of an organisation, or else of a person; empty where neither has it."""
        owner, _, package = repository.path.partition("/")
        rest = f"packages/container/{quote(package, safe='')}"
        known = [self._owners[owner]] if owner in self._owners else ["orgs", "users"]
        for kind in known:
            path = f"/{kind}/{quote(owner, safe='')}/{rest}"
            status, _ = await self._ask("GET", path, repository)
            if status == 200:
                self._owners[owner] = kind
                return path
        return ""

    async def _pages(self, repository: Repository, path: str) -> AsyncIterator[dict[str, Any]]:
        for page in range(1, PAGES + 1):
            status, body = await self._ask("GET", f"{path}?per_page={PAGE}&page={page}&state=active", repository)
            found = _json(repository, body) if status == 200 else None
            if not isinstance(found, list):
                raise RegistryFault(f"GitHub's list of {repository} broke off at page {page}", "run it again")
            for one in found:
                yield one
            if len(found) < PAGE:
                return
        raise RegistryFault(f"GitHub's list of {repository} has more than {PAGES} pages", "delete some by hand")

    async def _ask(self, method: str, path: str, repository: Repository) -> tuple[int, bytes]:
        """Status and body. 404 is an answer; everything else that is not one raises RegistryFault."""
        import httpx

        if self._client is None:
            headers = {**_HEADERS, "Authorization": f"Bearer {self._token}"}
            self._client = httpx.AsyncClient(headers=headers, timeout=_SECONDS, follow_redirects=False)
        try:
            answer = await self._client.request(method, self._api + path)
        except httpx.HTTPError as fault:
            raise Unreachable(f"GitHub did not answer about {repository}: {type(fault).__name__}", "check the network") from None
        status = answer.status_code
        if status in (401, 403):
            limited = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
            fix = "too many requests: wait for an hour" if limited else _MAY
            raise Denied(f"GitHub answered {status} about {repository}", fix, status=status)
        if status not in (200, 204, 404):
            raise RegistryFault(f"GitHub answered {status} about {repository}", "run it again later", status=status)
        return status, answer.content


def _json(repository: Repository, body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RegistryFault(f"GitHub's answer about {repository} is no JSON", "perhaps something stands between") from None


def _version(repository: Repository, said: Any) -> Version:
    """A version as GitHub tells it. One that cannot be understood ends the listing: it might be needed."""
    try:
        digest, tags, id = said["name"], said["metadata"]["container"]["tags"], said["id"]
        made = datetime.fromisoformat(said["updated_at"]).date()
    except (KeyError, TypeError, ValueError):
        raise RegistryFault(f"GitHub tells of a version of {repository} in words that are not known here") from None
    good = isinstance(digest, str) and DIGEST.fullmatch(digest) and isinstance(tags, list) and type(id) is int
    if not good or not all(isinstance(tag, str) and TAG.fullmatch(tag) for tag in tags):
        raise RegistryFault(f"GitHub tells of a version of {repository} in words that are not known here")
    return Version(digest, tuple(sorted(tags)), made, str(id))
