"""The floor: bare server-side-apply requests at 50 connections, with the very bodies that `fleet apply` sends.

`python -m bench.floor render REPOSITORY FILE` writes them into a file; `python -m bench.floor send KUBECONFIG FILE` sends them, namespaces
first, and prints seconds of wall and CPU time. Both are processes of their own, so that neither adds to what is measured.
"""

import asyncio
import json
import resource
import ssl
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import REVISION_ANNOTATION, SHAPES, Manifest
from reconciler.shell.workspace import open_workspace

CONNECTIONS = 50
HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


def bodies(root: Path) -> list[dict[str, Any]]:
    """Everything that the fleet in `root` renders, as an apply sends it: with the commit that it comes from."""
    workspace = open_workspace(root)
    manifests = render(workspace.graph(workspace.environment(None)), KINDS)
    return [_sent(manifest, workspace.reading.tree.revision) for manifest in manifests]


def _sent(manifest: Manifest, revision: str) -> dict[str, Any]:
    metadata = dict(manifest.body["metadata"])
    metadata["annotations"] = {**metadata["annotations"], REVISION_ANNOTATION: revision}
    return {**manifest.body, "metadata": metadata}


def path_of(body: dict[str, Any]) -> str:
    """Where an object is."""
    version, metadata = body["apiVersion"], body["metadata"]
    shape = SHAPES[version.rpartition("/")[0], body["kind"]]
    folder = f"/namespaces/{metadata['namespace']}" if shape.namespaced else ""
    return f"{'/apis' if '/' in version else '/api'}/{version}{folder}/{shape.plural}/{metadata['name']}"


async def send(config: dict[str, Any], objects: list[dict[str, Any]]) -> float:
    """Seconds that the requests took, to the server of a kubeconfig."""
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=server["certificate-authority"]))
    headers = {**HEADERS, "Authorization": f"Bearer {user['token']}"}
    first = [body for body in objects if body["kind"] == "Namespace"]
    rest = [body for body in objects if body["kind"] != "Namespace"]
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        began = time.perf_counter()
        for group in (first, rest):
            await _send(session, server["server"], group)
        return time.perf_counter() - began


async def _send(session: aiohttp.ClientSession, server: str, objects: Iterable[dict[str, Any]]) -> None:
    queue = iter(objects)

    async def worker() -> None:
        for body in queue:
            url = f"{server}{path_of(body)}?fieldManager=fleetwright&force=true"
            async with session.patch(url, data=orjson.dumps(body)) as answer:
                text = await answer.read()
                if answer.status >= 300:
                    raise SystemExit(f"{url}: {answer.status} {text.decode()[:300]}")

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


def _render(root: Path, file: Path) -> None:
    objects = bodies(root)
    file.write_bytes(orjson.dumps(objects))
    print(json.dumps({"objects": len(objects)}))


def _measured(kubeconfig: Path, file: Path) -> None:
    objects = orjson.loads(file.read_bytes())
    config = json.loads(kubeconfig.read_text())
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall = asyncio.run(send(config, objects))
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}))


if __name__ == "__main__":
    {"render": _render, "send": _measured}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
