"""The floor: bare server-side-apply requests at 50 connections, with the very bodies that `fleet apply` sends.

`python -m bench.floor render REPOSITORY FILE` writes them into a file, `python -m bench.floor project REPOSITORY FILE` the custom resources
that an operator keeps beside them, and their statuses; `python -m bench.floor define KUBECONFIG FILE` sends the definitions of those,
`python -m bench.floor send KUBECONFIG FILE` what is in the file, namespaces first, and prints
seconds of wall and CPU time. All are processes of their own, so that none adds to what is measured.
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

from reconciler.core.crds import crds, shapes
from reconciler.core.facts import Facts
from reconciler.core.health import Health, health, waits
from reconciler.core.projecting import projection
from reconciler.core.render import render
from reconciler.core.standing import standing
from reconciler.flow.known import status_of
from reconciler.kinds import KINDS
from reconciler.model.graph import Graph
from reconciler.model.manifests import INSTALLED, REVISION_ANNOTATION, SHAPES, Manifest, ObjectId
from reconciler.model.refs import Ref
from reconciler.model.spec import API_VERSION
from reconciler.shell.workspace import open_workspace

CONNECTIONS = 50
_SHAPES = {**SHAPES, **INSTALLED, **shapes(KINDS)}
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


def resources(root: Path) -> list[dict[str, Any]]:
    """The custom resources of the fleet in `root` and then their statuses, as an operator sends them."""
    workspace = open_workspace(root)
    graph, revision = workspace.graph(workspace.environment(None)), workspace.reading.tree.revision
    projected = projection(graph, KINDS)
    found = [(ref, body) for ref in projected.ids.values() if (body := projected.body(ref)) is not None]
    states: dict[Ref, dict[ObjectId, Health]] = {}
    for manifest in render(graph, KINDS):
        if waits(manifest.body):
            states.setdefault(manifest.owner, {})[manifest.id] = health(manifest.body)
    said = [
        {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "metadata": {name: body["metadata"][name] for name in ("name", "namespace") if name in body["metadata"]},
            "status": _status(ref, graph, Facts(revision, generation=1, health=states.get(ref, {}), wrote=True)),
        }
        for ref, body in found
    ]
    return [dict(body) for _, body in found] + said


def _status(ref: Ref, graph: Graph, facts: Facts) -> Any:
    return orjson.loads(status_of(standing(ref, graph, facts, None, "2026-01-01T00:00:00Z")))


def path_of(body: dict[str, Any]) -> str:
    """Where an object is; its status, where the body has nothing else."""
    version, metadata = body["apiVersion"], body["metadata"]
    shape = _SHAPES[version.rpartition("/")[0], body["kind"]]
    folder = f"/namespaces/{metadata['namespace']}" if shape.namespaced else ""
    path = f"{'/apis' if '/' in version else '/api'}/{version}{folder}/{shape.plural}/{metadata['name']}"
    return f"{path}/status" if "status" in body and "spec" not in body else path


async def send(config: dict[str, Any], objects: list[dict[str, Any]]) -> float:
    """Seconds that the requests took, to the server of a kubeconfig."""
    server = config["clusters"][0]["cluster"]
    groups: dict[int, list[dict[str, Any]]] = {}
    for body in objects:
        groups.setdefault(_turn(body), []).append(body)
    async with _session(config) as session:
        began = time.perf_counter()
        for _, group in sorted(groups.items()):
            await _send(session, server["server"], group)
        return time.perf_counter() - began


def _session(config: dict[str, Any]) -> aiohttp.ClientSession:
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=server["certificate-authority"]))
    return aiohttp.ClientSession(connector=connector, headers={**HEADERS, "Authorization": f"Bearer {user['token']}"})


def _turn(body: dict[str, Any]) -> int:
    """Namespaces before what is in them, an object before its status."""
    return 0 if body["kind"] == "Namespace" else 2 if "status" in body else 1


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
    _written(bodies(root), file)


def _project(root: Path, file: Path) -> None:
    _written(resources(root), file)


def _written(objects: list[dict[str, Any]], file: Path) -> None:
    file.write_bytes(orjson.dumps(objects))
    print(json.dumps({"objects": len(objects)}))


def _define(kubeconfig: Path, file: Path) -> None:
    """Writes the definitions of the custom resources into a file, sends them, and waits until they are served."""
    file.write_bytes(orjson.dumps([dict(crd) for crd in crds(KINDS)]))
    _measured(kubeconfig, file)
    asyncio.run(_served(json.loads(kubeconfig.read_text())))


async def _served(config: dict[str, Any]) -> None:
    async with _session(config) as session:
        for kind in KINDS:
            url = f"{config['clusters'][0]['cluster']['server']}/apis/{API_VERSION}/{kind.plural}"
            for _ in range(300):
                if (await session.get(url)).status == 200:
                    break
                await asyncio.sleep(0.1)
            else:
                raise SystemExit(f"{url} is never served")


def _measured(kubeconfig: Path, file: Path) -> None:
    objects = orjson.loads(file.read_bytes())
    config = json.loads(kubeconfig.read_text())
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall = asyncio.run(send(config, objects))
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}))


if __name__ == "__main__":
    {"render": _render, "project": _project, "define": _define, "send": _measured}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
