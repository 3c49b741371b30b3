"""Writes as whoever is to make them, and patience with an API server that has not taken up yet what the writer may do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from reconciler.adapters.cluster import failures
from reconciler.adapters.cluster.transport import Reply, Transport
from reconciler.core.acting import opens
from reconciler.core.refusals import lacks_right
from reconciler.model.manifests import Body, identify

Acting = Callable[[Body], str | None]
"""The user to impersonate for a write of this object; None: nobody."""
_LAG = 10.0
"""Seconds in which a server, or each of several, has surely heard of a role that was just written."""


class Request(NamedTuple):
    """A write on the wire."""

    method: str
    path: str
    data: Body | Sequence[Body]
    content: str


class Speaker:
    """Sends writes, each as whom `acting` says."""

    def __init__(self, transport: Transport, acting: Acting | None) -> None:
        self._transport = transport
        self._acting = acting
        self._opened: dict[str, float] = {}

    async def write(self, request: Request, about: Body, *, dry_run: bool = False) -> Reply:
        """One write of the object that `about` describes. Where its account was given its rights a moment ago, a 403 for want of them is retried."""
        user = self._acting(about) if self._acting else None
        id = identify(about)
        data, tries = orjson.dumps(request.data), 0
        while True:
            reply = await self._transport.send(request.method, request.path, data, request.content, user=user)
            if user is None or reply.status != 403 or not self._may_follow(id.namespace, reply):
                break
            tries += 1
            await asyncio.sleep(self._transport.delay(tries))
        if reply.status < 300 and not dry_run and opens(id):
            self._opened[id.namespace] = time.monotonic() + _LAG
        return reply

    def _may_follow(self, namespace: str, reply: Reply) -> bool:
        """Whether the right that is wanting may only be late."""
        return time.monotonic() < self._opened.get(namespace, 0.0) and lacks_right(failures.refused(reply.status, reply.body))
