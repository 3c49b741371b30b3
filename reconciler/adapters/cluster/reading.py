"""Lists: all pages of a kind, and the version that they show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, NamedTuple

import orjson

from reconciler.adapters.cluster import failures
from reconciler.adapters.cluster.addresses import Kind, query, selector
from reconciler.adapters.cluster.transport import Transport
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.ports import Glance, Unreachable, whole

PAGE = 50
"""Objects in one answer: while it is parsed nothing else runs, and what is kept of it lies among what is not, which holds on to memory."""
MANY, LARGER = 1_000, 250
"""After so many of a kind come larger pages: each has a server look through all that it has of the kind."""
_RESTARTS = 5


class Listing(NamedTuple):
    """Objects of one kind at one version of the whole store; no version where the kind is not served."""

    objects: tuple[Observed, ...]
    resource_version: str | None


async def list_kinds(transport: Transport, kinds: Iterable[Kind], labels: Mapping[str, str], glance: Glance = whole) -> list[Listing]:
    """All objects of these kinds with these labels, kinds side by side. The first failure ends the others."""
    tasks = [asyncio.ensure_future(list_kind(transport, kind, labels, glance)) for kind in kinds]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def list_kind(transport: Transport, kind: Kind, labels: Mapping[str, str], glance: Glance = whole) -> Listing:
    """All objects of a kind with these labels. A list whose version expires between two pages starts again."""
    for _ in range(_RESTARTS):
        listing = await _pages(transport, kind, labels, glance)
        if listing is not None:
            return listing
    raise Unreachable(f"{transport.access.server} compacts its history faster than {kind.shape.plural} can be listed", "try again")


async def _pages(transport: Transport, kind: Kind, labels: Mapping[str, str], glance: Glance) -> Listing | None:
    found: list[Observed] = []
    known: dict[bytes, Any] = {}
    mark: str | None = None
    while True:
        path = kind.path + query(labelSelector=selector(labels), limit=PAGE if len(found) < MANY else LARGER, **{"continue": mark})
        status, body, _ = await transport.send("GET", path)
        if status == 410 and mark is not None:
            return None
        if status == 404:
            return Listing((), None)
        page = decoded(transport, f"list {kind.shape.plural}", status, body)
        metadata, items = page["metadata"], page["items"]
        del page, body
        items.reverse()
        while items:  # each is let go before the next is looked at
            item = items.pop()
            _share_fields(item, known)
            found.append(glance(observed({"apiVersion": kind.version, "kind": kind.kind, **item})))
        mark = metadata.get("continue")
        if not mark:
            return Listing(tuple(found), metadata["resourceVersion"])


def _share_fields(item: dict[str, Any], known: dict[bytes, Any]) -> None:
    """Keep one copy of equal field sets: objects of one shape own the same fields, and those take as much memory as the objects."""
    for entry in item["metadata"].get("managedFields", ()):
        if "fieldsV1" in entry:
            entry["fieldsV1"] = known.setdefault(orjson.dumps(entry["fieldsV1"]), entry["fieldsV1"])


def decoded(transport: Transport, what: str, status: int, body: bytes) -> Any:
    """The JSON of a good answer. Raises Unreachable for others, and for good ones that are no JSON object."""
    if status >= 300:
        raise failures.forbidden(transport.access, what, status, body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise failures.forbidden(transport.access, what, status, body)
    return value


def observed(body: Body) -> Observed:
    """A live object, told by words that there is one copy of: a name is part of dozens of identities that are kept."""
    metadata = body["metadata"]
    id = ObjectId(*map(intern, identify(body)))
    return Observed(id, intern(metadata["uid"]), metadata["resourceVersion"], body)
