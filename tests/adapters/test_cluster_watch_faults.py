"""Watches that break: nothing is missed, nothing is made up, and what cannot be known is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from reconciler.model.manifests import SHAPES, identify
from reconciler.ports import Event, EventKind, Unreachable
from tests.adapters.contract import Target, next_event
from tests.adapters.faults import Answer, FaultProxy, Lines, Reset, event, status

CONFIG_MAPS = [("", "ConfigMap")]
EXPIRED = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
INTERNAL = event("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"})
PASSING = {
    "closed at once": Lines(end="close"),
    "reset at once": Reset(),
    "cut at once": Lines(end="cut"),
    "silent": Lines(end="stay"),
    "half a line": Lines((b'{"type":"ADDED","obj',), end="cut"),
    "half a line in good order": Lines((b'{"type":"ADDED","obj',), end="close"),
    "a line that is no JSON": Lines((b"<html>\n",), end="stay"),
    "a line that is no event": Lines((b"[1]\n",), end="stay"),
    "an empty line": Lines((b"\n",), end="go"),
    "an error event": Lines((INTERNAL,), end="close"),
    "500": status(500, "InternalError"),
    "503 with HTML": Answer(503, b"<html></html>"),
    "429": status(429, "TooManyRequests", Retry_After="0"),
    "401": status(401, "Unauthorized"),
    "403": status(403, "Forbidden"),
}


@asynccontextmanager
async def watched(target: Target) -> AsyncGenerator[AsyncGenerator[Event, None], None]:
    """A watch of ConfigMaps that has shown the one that there is."""
    await target.applied(target.config("first"))
    async with aclosing(target.ours.watch(target.labels, CONFIG_MAPS)) as events:
        assert (await next_event(events)).observed.id.name == "first"
        yield events


async def seen(events: AsyncGenerator[Event, None], name: str) -> list[tuple[EventKind, str]]:
    """What comes until this object does."""
    found: list[tuple[EventKind, str]] = []
    while not found or found[-1][1] != name:
        one = await next_event(events)
        found.append((one.kind, one.observed.id.name if one.observed else ""))
    return found


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_watch_goes_on_where_it_was_after(broken: Target, proxy: FaultProxy, fault):
    proxy.fail(fault, "WATCH", times=2)
    async with watched(broken) as events:
        await broken.applied(broken.config("second"))
        assert await seen(events, "second") == [(EventKind.SET, "second")]
        await broken.ours.delete(await broken.live(identify(broken.config("second"))))
        assert await seen(events, "second") == [(EventKind.GONE, "second")]


async def test_watch_that_breaks_after_an_event_does_not_show_it_twice(broken: Target, proxy: FaultProxy):
    proxy.fail(Lines(end="cut", after=1), "WATCH", times=3)
    async with watched(broken) as events:
        for name in ("second", "third", "fourth"):
            await broken.applied(broken.config(name))
        assert await seen(events, "fourth") == [(EventKind.SET, "second"), (EventKind.SET, "third"), (EventKind.SET, "fourth")]


@pytest.mark.parametrize(
    "fault", [Lines((EXPIRED,), end="close"), status(410, "Expired"), status(410, "Gone", "too old")], ids=["event", "answer", "gone"]
)
async def test_watch_whose_version_expired_says_so_and_lists_again(broken: Target, proxy: FaultProxy, fault):
    await broken.applied(broken.config("doomed"))
    await broken.applied(broken.config("first"))

    async def meanwhile():
        await broken.by("rival").delete(await broken.live(identify(broken.config("doomed"))))
        await broken.by("rival").apply(broken.config("second"), dry_run=False, force=True)

    async with aclosing(broken.ours.watch(broken.labels, CONFIG_MAPS)) as events:
        proxy.fail(Reset(), "WATCH", meanwhile=meanwhile)
        proxy.fail(fault, "WATCH")
        assert await seen(events, "first") == [(EventKind.SET, "doomed"), (EventKind.SET, "first")]
        assert await seen(events, "second") == [
            (EventKind.LOST, ""),
            (EventKind.GONE, "doomed"),
            (EventKind.SET, "first"),
            (EventKind.SET, "second"),
        ]
        await broken.applied(broken.config("third"))
        assert await seen(events, "third") == [(EventKind.SET, "third")]


async def test_watch_lists_again_until_it_can(broken: Target, proxy: FaultProxy):
    async with watched(broken) as events:
        proxy.fail(Lines((EXPIRED,), end="close"), "WATCH", times=2)
        await broken.applied(broken.config("second"))
        await seen(events, "second")
        proxy.fail(status(403, "Forbidden"), "GET", path="limit=", times=3)
        proxy.fail(Lines((EXPIRED,), end="close"), "WATCH")
        await broken.applied(broken.config("third"))
        assert (await seen(events, "third"))[-1] == (EventKind.SET, "third")


async def test_watch_that_cannot_begin_is_unreachable(broken: Target, proxy: FaultProxy):
    proxy.fail(status(403, "Forbidden"), "GET", path="configmaps")
    with pytest.raises(Unreachable, match="refused to list configmaps"):
        await anext(broken.ours.watch(broken.labels, [*CONFIG_MAPS, ("apps", "Deployment")]))


async def test_watch_takes_objects_of_any_size(broken: Target):
    async with watched(broken) as events:
        await broken.applied(broken.config("large", {"text": "x" * 700_000}))
        large = await next_event(events)
        assert len(large.observed.body["data"]["text"]) == 700_000


async def test_watch_of_every_kind_leaves_room_for_requests(broken: Target):
    async with aclosing(broken.ours.watch(broken.labels, SHAPES)) as events:
        assert (await next_event(events)).observed.id.kind == "Namespace"
        await asyncio.gather(*(broken.applied(broken.config(f"c{number}")) for number in range(60)))
        found = {(await next_event(events)).observed.id.name for _ in range(60)}
        assert found == {f"c{number}" for number in range(60)}


async def test_watch_of_kinds_side_by_side_survives_the_fault_of_one(broken: Target, proxy: FaultProxy):
    proxy.fail(status(500, "InternalError"), "WATCH", path="deployments", times=9999)
    async with aclosing(broken.ours.watch(broken.labels, [*CONFIG_MAPS, ("apps", "Deployment")])) as events:
        await broken.applied(broken.config("first"))
        assert await seen(events, "first") == [(EventKind.SET, "first")]
        proxy.heal()
        await broken.applied(broken.deployment())
        assert (EventKind.SET, "web") in await seen(events, "web")


async def test_watch_lets_go_of_its_connections_when_it_is_closed(broken: Target):
    before = asyncio.all_tasks()
    async with watched(broken) as events:
        await broken.applied(broken.config("second"))
        await seen(events, "second")
        assert [task for task in asyncio.all_tasks() - before if "_Stream" in repr(task)]
    await broken.ours.close()
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() - before if "_Stream" in repr(task)]
