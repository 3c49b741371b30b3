"""Watches: one stream a kind, merged; resumed where they broke off, listed again where that is not possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import orjson

from reconciler.adapters.cluster.addresses import Kind, query, selector
from reconciler.adapters.cluster.reading import Listing, list_kind, observed
from reconciler.adapters.cluster.transport import Transport
from reconciler.model.manifests import ObjectId, Observed
from reconciler.ports import Event, EventKind, Unreachable

_BUFFER = 1000
"""Events that wait for their reader before the connection does."""
_PERIOD = 290
"""Seconds after which the server ends a watch in good order."""


class _Expired(Exception):
    """The server has forgotten the version to resume from: list again."""


async def watch(transport: Transport, kinds: tuple[Kind, ...], labels: Mapping[str, str]) -> AsyncGenerator[Event, None]:
    """Every object as SET, then what happens. Raises Unreachable only while the first lists are read."""
    queue: asyncio.Queue[Event] = asyncio.Queue(_BUFFER)
    streams = []
    for kind in kinds:  # one after the other: all of them at once are a lot of memory
        listing = await list_kind(transport, kind, labels)
        streams.append(_Stream(transport, kind, labels, queue, listing))
        for found in listing.objects:
            yield Event(EventKind.SET, found)
        del listing
    running = [asyncio.create_task(stream.run()) for stream in streams if stream.served]
    try:
        while True:
            yield await _next(queue, running)
    finally:
        for runner in running:
            runner.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _next(queue: asyncio.Queue[Event], running: list[asyncio.Task[None]]) -> Event:
    """The next event; a stream that died of a fault of our own is raised, not waited for."""
    waiting = asyncio.create_task(queue.get())
    try:
        await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
        for runner in running:
            if runner.done():
                runner.result()
        return await waiting
    finally:
        waiting.cancel()


class _Stream:
    """The watch of one kind."""

    def __init__(self, transport: Transport, kind: Kind, labels: Mapping[str, str], queue: asyncio.Queue[Event], listing: Listing) -> None:
        self._transport = transport
        self._kind = kind
        self._labels = labels
        self._queue = queue
        self._version = listing.resource_version
        self._known = {found.id: found.uid for found in listing.objects}

    @property
    def served(self) -> bool:
        """Whether the server has this kind."""
        return self._version is not None

    async def run(self) -> None:
        """For ever."""
        tries = 0
        while True:
            before = self._version
            try:
                await self._follow()
            except _Expired:
                await self._queue.put(Event(EventKind.LOST, None))
                self._version = None
            except (aiohttp.ClientError, TimeoutError, OSError, Unreachable):
                pass
            if self._version is None:
                with suppress(Unreachable):
                    await self._relist()
            tries = 0 if self._version not in {None, before} else tries + 1
            if tries:
                await asyncio.sleep(self._transport.delay(tries))

    async def _follow(self) -> None:
        """One connection: until the server ends it, it breaks, or it is silent for too long."""
        parameters = {"labelSelector": selector(self._labels), "resourceVersion": self._version, "timeoutSeconds": _PERIOD}
        path = self._kind.path + query(watch="true", allowWatchBookmarks="true", **parameters)
        async with self._transport.stream(path) as response:
            if response.status == 410:
                raise _Expired
            if response.status >= 300:
                await asyncio.sleep(self._transport.delay(1, response.headers.get("Retry-After")))
                return
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await self._take(line)

    async def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = orjson.loads(line)
            kind, body = event["type"], event["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise aiohttp.ClientPayloadError("a watch sent a line that is no event") from None
        match kind:
            case "ADDED" | "MODIFIED":
                await self._set(observed(body))
            case "DELETED":
                await self._gone(observed(body))
            case "ERROR":
                raise _Expired if body.get("code") == 410 else aiohttp.ClientPayloadError("the watch ended with an error")
        self._version = body["metadata"]["resourceVersion"]

    async def _set(self, found: Observed) -> None:
        self._known[found.id] = found.uid
        await self._queue.put(Event(EventKind.SET, found))

    async def _gone(self, found: Observed) -> None:
        self._known.pop(found.id, None)
        await self._queue.put(Event(EventKind.GONE, found))

    async def _relist(self) -> None:
        """Every object again, and what went while nobody looked."""
        listing = await list_kind(self._transport, self._kind, self._labels)
        standing = {found.id for found in listing.objects}
        for id, uid in [(id, uid) for id, uid in self._known.items() if id not in standing]:
            await self._gone(_remains(self._kind, id, uid))
        for found in listing.objects:
            await self._set(found)
        self._version = listing.resource_version


def _remains(kind: Kind, id: ObjectId, uid: str) -> Observed:
    """What is known of an object that went unseen."""
    metadata: dict[str, Any] = {"name": id.name, "uid": uid, "resourceVersion": ""}
    metadata |= {"namespace": id.namespace} if id.namespace else {}
    return Observed(id, uid, "", {"apiVersion": kind.version, "kind": kind.kind, "metadata": metadata})
