"""GitHub's REST API for one repository: what is asked, and no more of an answer believed than can be checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
import orjson

from reconciler.adapters.notify.wire import FAULTS, Refused, Wire, said, waits
from reconciler.model.fleet import Notification

GITHUB = "https://api.github.com"
HOPELESS = frozenset({400, 405, 410, 411, 413, 414, 415, 422, 431})
"""The same letter gets the same answer. 401, 403 and 404 are not here: a person can put them right."""
LARGEST = 4 << 20
"""Bytes of an answer: a spec of the largest size in base64, and what stands around it."""
_LONGEST_WAIT = 3600.0


class Answer(NamedTuple):
    """A status that was expected, and the JSON that came with it."""

    status: int
    body: Any


class NotDone(Exception):
    """GitHub did not do it. The message is one sentence without anything secret, or anything that GitHub wrote."""

    def __init__(self, reason: str, *, hopeless: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.hopeless, self.wait = hopeless, wait


class Rest:
    """Requests about one repository, with its token."""

    def __init__(self, wire: Wire, target: Notification, now: Callable[[], float]) -> None:
        self._wire, self._target, self._now = wire, target, now
        self.repository = target.repository or ""
        self.base = target.branch

    async def ask(
        self,
        what: str,
        method: str,
        path: str = "",
        query: Mapping[str, str] | None = None,
        value: Mapping[str, Any] | None = None,
        also: Collection[int] = (),
    ) -> Answer:
        """The answer of `/repos/OWNER/NAME/PATH`: 2xx, or one of the statuses `also`. Raises NotDone, which says `what` was not done."""
        host = "GitHub"
        try:
            address = f"{(self._target.url or GITHUB).rstrip('/')}/repos/{self.repository}{'/' if path else ''}{quote(path)}"
            url = self._wire.checked(f"{address}?{urlencode(query)}" if query else address, self._target)
            host = url.host or host
            data = orjson.dumps(value) if value is not None else None
            async with self._wire.asked(self._target, method, url, self._headers(), data) as response:
                if 200 <= response.status < 300 or response.status in also:
                    return Answer(response.status, await _json(response, host, what))
                raise self._not_done(host, what, response)
        except Refused as refused:
            raise NotDone(str(refused)) from None
        except FAULTS as fault:
            raise NotDone(f"{host} does not {what}: {said(fault)}") from None

    def _headers(self) -> dict[str, str]:
        """As GitHub asks for (REST API, "Getting started"). Nothing is to come compressed: what it would be is not known before."""
        return {
            "Accept": "application/vnd.github+json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self._wire.secret(self._target.secret)}",
            "Content-Type": "application/json",
            "User-Agent": "fleetwright",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def _not_done(self, host: str, what: str, response: aiohttp.ClientResponse) -> NotDone:
        """Why, by the status alone."""
        status, wait = response.status, self._wait(response)
        match status:
            case 401:
                why = "it does not know the token"
            case 403 | 429 if wait:
                why = "it asks to be left alone for a while"
            case 403:
                why = "the token may not; it needs to write contents and pull requests"
            case 404:
                why = f"there is no such thing in {self.repository} that the token may see"
            case _ if 300 <= status < 400:
                why = "it points elsewhere, and is not followed; is the repository called otherwise now?"
            case _:
                return NotDone(f"{host} does not {what}: it answers {status}", hopeless=status in HOPELESS, wait=wait)
        return NotDone(f"{host} does not {what} ({status}): {why}", wait=wait)

    def _wait(self, response: aiohttp.ClientResponse) -> float:
        """Seconds until it may be asked again (REST API, "Rate limits for the REST API"); zero where nothing says so."""
        wait = waits(response.headers.get("Retry-After"))
        reset = response.headers.get("X-RateLimit-Reset", "")
        if not wait and response.headers.get("X-RateLimit-Remaining") == "0" and reset.isascii() and reset.isdigit() and len(reset) < 12:
            wait = max(1.0, int(reset) - self._now())
        return min(wait, _LONGEST_WAIT)


async def _json(response: aiohttp.ClientResponse, host: str, what: str) -> Any:
    """The body, as long as it is of a size and is JSON at all. Raises NotDone."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise NotDone(f"{host} does not {what}: it answers compressed, which nobody asked for")
    read = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        read += piece
        if len(read) > LARGEST:
            raise NotDone(f"{host} does not {what}: it answers more than {LARGEST:,} bytes")
    try:
        return orjson.loads(read)
    except orjson.JSONDecodeError:
        raise NotDone(f"{host} does not {what}: what it answers is not JSON") from None
