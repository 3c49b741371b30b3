"""Drift: objects edited and deleted by somebody else, and how long until each is again what it was, as a watch from outside shows it."""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from bench import fleets
from bench.processes import Failed
from bench.servers import Server

PATIENCE = 30.0
"""Seconds after which a drift counts as never repaired."""
PLURALS = ("deployments", "services", "networkpolicies", "serviceaccounts")
_API = {"deployments": "/apis/apps/v1", "networkpolicies": "/apis/networking.k8s.io/v1"}
_JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_EDIT = {
    "deployments": {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "elsewhere.example/other:1"},
    "services": {"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9},
    "networkpolicies": {"op": "replace", "path": "/spec/podSelector", "value": {"matchLabels": {"nobody": "here"}}},
}
"""An edit of a field of ours, as `kubectl edit` makes it."""


def repairs(server: Server, services: int, samples: int) -> list[float]:
    """Seconds from the answer to an edit or a deletion (in turns, of every kind) to the repaired object in a watch, one after the other."""
    return asyncio.run(_Site(server, services).sampled(samples))


class _Site:
    """The cluster as somebody else reaches it."""

    def __init__(self, server: Server, services: int) -> None:
        self._services = services
        self._url, self._token = server.cluster.url, server.cluster.token
        self._trust = ssl.create_default_context(cafile=str(server.cluster.authority))
        self._seen: asyncio.Queue[tuple[str, Mapping[str, Any], float]] = asyncio.Queue()

    async def sampled(self, samples: int) -> list[float]:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"}, connector=self._connector()) as self._session:
            watches = [asyncio.create_task(self._watch(plural)) for plural in PLURALS]
            await asyncio.sleep(1)
            try:
                return [await self._one(number, number * self._services // samples) for number in range(samples)]
            finally:
                for watch in watches:
                    watch.cancel()

    def _connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(ssl=self._trust)

    async def _one(self, number: int, victim: int) -> float:
        edits = number % 2 == 0
        plural = (tuple(_EDIT) if edits else PLURALS)[number // 2 % (len(_EDIT) if edits else len(PLURALS))]
        space, name = fleets.tenant_name(victim % fleets.Size(self._services).tenants), fleets.service_name(victim)
        path = f"{self._url}{_API.get(plural, '/api/v1')}/namespaces/{space}/{plural}/{name}"
        before = await self._answer("GET", path)
        while not self._seen.empty():
            self._seen.get_nowait()
        if edits:
            edited = await self._answer("PATCH", path + "?fieldManager=kubectl-edit", json.dumps([_EDIT[plural]]))
            if edited["spec"] == before["spec"]:
                raise Failed(f"an edit of {path} changed nothing")
        else:
            await self._answer("DELETE", path)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    seen, body, at = await self._seen.get()
                    if seen == plural and body["metadata"]["name"] == name and _is_again(body, before, edits=edits):
                        break
        except TimeoutError:
            raise Failed(f"{path} was not repaired in {PATIENCE:.0f} s") from None
        await asyncio.sleep(0.05)
        return at - began

    async def _answer(self, method: str, path: str, data: str | None = None) -> Any:
        async with self._session.request(method, path, data=data, headers=_JSON_PATCH if data else {}) as answer:
            if answer.status >= 300:
                raise Failed(f"{method} {path}: {answer.status} {(await answer.text())[:300]}")
            return await answer.json()

    async def _watch(self, plural: str) -> None:
        """What is there is not asked for again: only what happens from now on."""
        path = f"{self._url}{_API.get(plural, '/api/v1')}/{plural}"
        version = (await self._answer("GET", path + "?limit=1"))["metadata"]["resourceVersion"]
        limits = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"{path}?watch=true&resourceVersion={version}", timeout=limits) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._seen.put_nowait((plural, event["object"], time.perf_counter()))


def _is_again(body: Mapping[str, Any], before: Mapping[str, Any], *, edits: bool) -> bool:
    """Whether it says what it said; what was deleted is there once more. (A new Service gets another address.)"""
    same = body["metadata"]["uid"] == before["metadata"]["uid"]
    return same and body["spec"] == before["spec"] if edits else not same
