"""Empties and finalises namespaces that are being deleted, as the namespace controller does."""

import asyncio
import sys
from functools import partial
from typing import Any

from tests.engines import outcomes
from tests.engines.client import Api

Body = dict[str, Any]
AT_ONCE = 8
NOW: Body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "propagationPolicy": "Background"}


class Janitor:
    """One task for each namespace on its way out."""

    def __init__(self, api: Api, delay: float) -> None:
        self.api = api
        self.delay = delay
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.requests = asyncio.Semaphore(AT_ONCE)

    async def follow(self, listed: asyncio.Event) -> None:
        async for event in self.api.follow("/api/v1/namespaces", listed):
            metadata = event["object"]["metadata"]
            uid = metadata["uid"]
            if event["type"] != "DELETED" and "deletionTimestamp" in metadata and uid not in self.tasks:
                self.tasks[uid] = asyncio.create_task(self.clear(event["object"]))
                self.tasks[uid].add_done_callback(partial(self.ended, uid))

    def ended(self, uid: str, task: asyncio.Task[None]) -> None:
        del self.tasks[uid]
        if not task.cancelled() and (error := task.exception()):
            print(f"namespace {uid}: {error!r}", file=sys.stderr, flush=True)

    async def clear(self, namespace: Body) -> None:
        """Deletes everything in it, waits while something stays (a finalizer of its own), then lets the namespace go."""
        name = namespace["metadata"]["name"]
        stage, delay = outcomes.stage_of(namespace, self.delay)
        if stage is not outcomes.Stage.READY:
            await asyncio.sleep(delay)
        pause = 0.05
        while await self.remaining(name):
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": []}}
        got = await self.api.ask("PUT", f"/api/v1/namespaces/{name}/finalize", body)
        if got.status not in {200, 404, 409}:
            print(f"finalize {name}: {got.status} {got.body}", file=sys.stderr, flush=True)

    async def remaining(self, name: str) -> bool:
        """Deletes what is there; whether there was anything."""
        collections = await self.collections(name)
        return any(await asyncio.gather(*(self.delete_all(path) for path in collections)))

    async def delete_all(self, path: str) -> bool:
        async with self.requests:
            listed = await self.api.get(f"{path}?limit=1")
            if listed.status != 200 or not listed.body["items"]:
                return False
            await self.api.delete(path, NOW)
            return True

    async def collections(self, name: str) -> list[str]:
        """The paths of all collections in a namespace that can be deleted as a whole, by discovery."""
        groups = (await self.api.get("/apis")).body["groups"]
        roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
        documents = await asyncio.gather(*(self.api.get(root) for root in roots))
        return [
            f"{root}/namespaces/{name}/{one['name']}"
            for root, document in zip(roots, documents, strict=True)
            if document.status == 200
            for one in document.body["resources"]
            if one["namespaced"] and "deletecollection" in one["verbs"]
        ]
