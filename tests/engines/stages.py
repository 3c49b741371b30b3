"""The player of workload stages, in the manner of KWOK: stands in for kubelets and controllers where a cluster has neither.

Deployments, StatefulSets, DaemonSets, Jobs and claims become what the annotation `stages.fleetwright.dev/stage` says (ready, slow,
failed, crash-looping; `stages.fleetwright.dev/delay: 5s`); namespaces that are deleted are emptied and finalised; quotas are counted.
"""

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.engines import outcomes
from tests.engines.client import Api, connect
from tests.engines.janitor import Janitor
from tests.engines.outcomes import DEADLINE_SECONDS, PLAYED, Moment, Stage
from tests.engines.quotas import Quotas

WRITES = 16  # status writes in flight
# Finalizers that controllers take away: the garbage collector's, and that of claims, which no pod uses here.
COLLECTED = {"foregroundDeletion", "orphan", "kubernetes.io/pvc-protection"}

Body = dict[str, Any]


def utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def object_path(collection: str, body: Body) -> str:
    """/apis/apps/v1/deployments -> /apis/apps/v1/namespaces/NS/deployments/NAME"""
    base, _, plural = collection.rpartition("/")
    return f"{base}/namespaces/{body['metadata']['namespace']}/{plural}/{body['metadata']['name']}"


def status_path(collection: str, body: Body) -> str:
    return f"{object_path(collection, body)}/status?fieldManager=stages"


class Player:
    """Plays the stages of every workload; one task for each that is on its way."""

    def __init__(self, api: Api, delay: float) -> None:
        self.api = api
        self.delay = delay
        self.seen: dict[str, tuple[Any, ...]] = {}  # uid -> generation, stage, delay
        self.templates: dict[str, str] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.writes = asyncio.Semaphore(WRITES)

    async def follow(self, collection: str, listed: asyncio.Event) -> None:
        async for event in self.api.follow(collection, listed):
            body = event["object"]
            uid = body["metadata"]["uid"]
            if event["type"] == "DELETED" or "deletionTimestamp" in body["metadata"]:
                self.forget(uid)
                await self.let_go(collection, body)
                continue
            cue = (body["metadata"].get("generation"), *outcomes.stage_of(body, self.delay))
            if self.seen.get(uid) != cue:
                self.seen[uid] = cue
                self.start(collection, body)

    def forget(self, uid: str) -> None:
        self.seen.pop(uid, None)
        self.templates.pop(uid, None)
        if task := self.tasks.pop(uid, None):
            task.cancel()

    async def let_go(self, collection: str, body: Body) -> None:
        """Ends a foreground or an orphaning deletion, as the garbage collector does: nothing here depends on anything."""
        metadata = body["metadata"]
        left = [one for one in metadata.get("finalizers") or () if one not in COLLECTED]
        if left != list(metadata.get("finalizers") or ()):
            patch = {"metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "finalizers": left}}
            await self.api.merge(object_path(collection, body), patch)

    def start(self, collection: str, body: Body) -> None:
        uid = body["metadata"]["uid"]
        if old := self.tasks.pop(uid, None):
            old.cancel()
        template = outcomes.template_hash(body)
        rolls = self.templates.get(uid) not in {template, None} or not (body.get("status") or {}).get("readyReplicas")
        task = asyncio.create_task(self.play(collection, body, rolls=rolls))
        self.tasks[uid] = task
        task.add_done_callback(lambda done: self.ended(uid, template, done))

    def ended(self, uid: str, template: str, task: asyncio.Task[None]) -> None:
        if self.tasks.get(uid) is task:
            del self.tasks[uid]
        if not task.cancelled() and (error := task.exception()):
            print(f"{uid}: {error!r}", file=sys.stderr, flush=True)
        elif not task.cancelled() and uid in self.seen:
            self.templates[uid] = template

    async def play(self, collection: str, body: Body, *, rolls: bool) -> None:
        """Moving first, then what the stage says; what is there already is left alone."""
        stage, delay = outcomes.stage_of(body, self.delay)
        act = PLAYED[collection]
        last = {Stage.FAILED: Moment.FAILED, Stage.CRASH_LOOPING: Moment.CRASHING}.get(stage, Moment.THERE)
        goal = act(body, last, utc_now(), rolls=rolls)
        before = body.get("status") or {}
        if outcomes.timeless(goal).items() <= outcomes.timeless(before).items():
            return
        moving = act(body, Moment.MOVING, utc_now(), rolls=rolls)
        if outcomes.timeless(moving) != outcomes.timeless(goal) and body["spec"].get("replicas") != 0:
            body = await self.write(collection, body, moving)
            await asyncio.sleep(delay)
        body = await self.write(collection, body, act(body, last, utc_now(), rolls=rolls))
        if last is Moment.CRASHING:
            await asyncio.sleep(float(body["spec"].get("progressDeadlineSeconds") or DEADLINE_SECONDS))
            await self.write(collection, body, act(body, Moment.FAILED, utc_now(), rolls=rolls))

    async def write(self, collection: str, body: Body, status: Body) -> Body:
        """Writes a status and returns the object with it; one that is gone or was made anew is no error, its next event counts."""
        patch = {"metadata": {"uid": body["metadata"]["uid"]}, "status": status}
        async with self.writes:
            got = await self.api.merge(status_path(collection, body), patch)
        if got.status not in {200, 404, 409} and not (got.status == 422 and "metadata.uid" in str(got.body)):
            print(f"{status_path(collection, body)}: {got.status} {got.body}", file=sys.stderr, flush=True)
        return {**body, "status": got.body.get("status", {})} if got.status == 200 else body


async def main(kubeconfig: Path, delay: float, ready: Path) -> None:
    async with connect(kubeconfig) as api:
        player, janitor, quotas = Player(api, delay), Janitor(api, delay), Quotas(api)
        listed = [asyncio.Event() for _ in range(len(PLAYED) + 2)]
        follows = [player.follow(path, event) for path, event in zip(PLAYED, listed, strict=False)]
        tasks = [asyncio.create_task(one) for one in (*follows, janitor.follow(listed[-2]), quotas.follow(listed[-1]))]
        for event in listed:
            await event.wait()
        ready.touch()
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, aiohttp.ClientConnectionError):
        asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
