"""Objects for the engine room's own tests."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.engines.client import Api

Body = dict[str, Any]
PATIENCE_SECONDS = 20.0


def deployment(namespace: str, name: str = "web", image: str = "web:1", replicas: int = 2, **annotations: str) -> Body:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "annotations": stages(annotations)},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name, image)},
    }


def template(name: str, image: str) -> Body:
    ports = [{"containerPort": 8080}]
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": image, "ports": ports}]}}


def stages(annotations: dict[str, str]) -> dict[str, str]:
    return {f"stages.fleetwright.dev/{key}": value for key, value in annotations.items()}


def config(namespace: str, name: str = "settings", **data: str) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def path_of(body: Body, plural: str) -> str:
    root = "/api/v1" if body["apiVersion"] == "v1" else f"/apis/{body['apiVersion']}"
    return f"{root}/namespaces/{body['metadata']['namespace']}/{plural}/{body['metadata']['name']}"


async def until(api: Api, path: str, holds: Callable[[Body], bool]) -> Body:
    """The object at the path, once it is as wanted; a failure after some patience shows what it was instead."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        body: Body = {}
        while not body or not holds(body):
            got = await api.get(path)
            body = got.body if got.status == 200 else {}
            await asyncio.sleep(0.02)
        return body
