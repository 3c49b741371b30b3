"""Counts what resource quotas limit, as the quota controller does: admission refuses what an uncounted quota covers."""

import asyncio
import sys
from typing import Any

from tests.engines.client import Api

Body = dict[str, Any]
RECOUNT_SECONDS = 5.0
CORE_COUNTS = {"pods", "services", "secrets", "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas"}
ROOTS = {"apps": "/apis/apps/v1", "batch": "/apis/batch/v1", "autoscaling": "/apis/autoscaling/v2", "policy": "/apis/policy/v1",
         "networking.k8s.io": "/apis/networking.k8s.io/v1", "rbac.authorization.k8s.io": "/apis/rbac.authorization.k8s.io/v1",
         "coordination.k8s.io": "/apis/coordination.k8s.io/v1", "": "/api/v1"}  # fmt: skip


def counted(resource: str) -> tuple[str, str] | None:
    """Group root and plural of what an object-count quota counts (`count/deployments.apps`, `services`); None for other quotas."""
    if resource in CORE_COUNTS:
        return ROOTS[""], resource
    plural, _, group = resource.removeprefix("count/").partition(".")
    return (ROOTS[group], plural) if resource.startswith("count/") and group in ROOTS else None


class Quotas:
    """Keeps status.hard and status.used of every ResourceQuota; without pods, what pods would use is nothing."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.known: dict[str, Body] = {}

    async def follow(self, listed: asyncio.Event) -> None:
        recounting = asyncio.create_task(self.recount())
        try:
            async for event in self.api.follow("/api/v1/resourcequotas", listed):
                quota = event["object"]
                if event["type"] == "DELETED" or "deletionTimestamp" in quota["metadata"]:
                    self.known.pop(quota["metadata"]["uid"], None)
                    continue
                self.known[quota["metadata"]["uid"]] = quota
                if (quota.get("status") or {}).get("hard") != quota["spec"].get("hard"):
                    await self.count(quota)
        finally:
            recounting.cancel()

    async def recount(self) -> None:
        """Admission counts up; what was deleted is counted here."""
        while True:
            await asyncio.sleep(RECOUNT_SECONDS)
            for quota in list(self.known.values()):
                await self.count(quota)

    async def count(self, quota: Body) -> None:
        namespace, name = quota["metadata"]["namespace"], quota["metadata"]["name"]
        hard = quota["spec"].get("hard") or {}
        used = {resource: await self.used(namespace, resource) for resource in hard}
        if quota.get("status") == {"hard": hard, "used": used}:
            return
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/{name}/status?fieldManager=stages"
        metadata = {"uid": quota["metadata"]["uid"], "resourceVersion": quota["metadata"]["resourceVersion"]}
        got = await self.api.merge(path, {"metadata": metadata, "status": {"hard": hard, "used": used}})
        if got.status not in {200, 404, 409}:
            print(f"{path}: {got.status} {got.body}", file=sys.stderr, flush=True)

    async def used(self, namespace: str, resource: str) -> str:
        found = counted(resource)
        if not found:
            return "0"
        root, plural = found
        got = await self.api.get(f"{root}/namespaces/{namespace}/{plural}?limit=1")
        listed = got.body if got.status == 200 else {"items": [], "metadata": {}}
        return str(len(listed["items"]) + listed["metadata"].get("remainingItemCount", 0))
