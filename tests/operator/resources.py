"""Custom resources as an operator would write them, and what an API server says to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.core.crds import crd_name
from reconciler.core.environment import environment
from reconciler.core.understand import Understanding, understand
from reconciler.core.values import substitute
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Environment, Resource
from reconciler.model.kind import Kind
from reconciler.model.spec import API_VERSION
from tests.engines.client import Answer, Api

ROOT = Path(__file__).parents[2]
TABLE: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDTH = 20


@cache
def repository() -> Understanding:
    """The fleet that this repository declares."""
    paths = [ROOT / "fleet.yaml", *ROOT.glob("specs/**/*.yaml"), *(path for path in ROOT.glob("policies/**/*") if path.is_file())]
    return understand(SourceTree("0" * 40, False, {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}), KINDS)


def resources(reading: Understanding, name: str | None = None) -> Iterator[tuple[Resource[Any], Any]]:
    """Every resource with its spec as written, the environment's values filled in."""
    where = environment(reading.fleet, name)
    assert isinstance(where, Environment)
    for resource in reading.fleet.resources.values():
        yield resource, substitute(resource.document.value["spec"], where.values)


def path(kind: Kind, namespace: str, name: str) -> str:
    """Where a custom resource is."""
    place = f"/namespaces/{namespace}" if kind.scope == "tenant" else ""
    return f"/apis/{API_VERSION}{place}/{kind.plural}/{name}"


def body(kind: Kind, name: str, spec: Any) -> dict[str, Any]:
    """A custom resource."""
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": {"name": name}, "spec": spec}


async def tried(api: Api, kind: Kind, namespace: str, spec: Any, name: str = "tried") -> Answer:
    """The server's answer to a custom resource; nothing is written."""
    return await api.apply(path(kind, namespace, name), body(kind, name, spec), query="&force=true&dryRun=All&fieldValidation=Strict")


async def all_tried(api: Api, namespace: str, specs: list[tuple[Kind, Any]]) -> list[Answer]:
    """The answers to many, a few at a time."""
    width = asyncio.Semaphore(WIDTH)

    async def one(kind: Kind, spec: Any) -> Answer:
        async with width:
            return await tried(api, kind, namespace, spec)

    return await asyncio.gather(*(one(kind, spec) for kind, spec in specs))


def wrong(kind: Kind, spec: Any) -> list[Mapping[str, Any]]:
    """What the model finds wrong with a spec."""
    try:
        kind.spec.model_validate(spec, by_alias=True, by_name=False)
    except ValidationError as fault:
        return [dict(error) for error in fault.errors(include_url=False, include_context=False)]
    return []


async def served(api: Api, kind: Kind) -> None:
    """Waits until the server serves a kind."""
    async with asyncio.timeout(30):
        while (await api.get(f"/apis/{API_VERSION}/{kind.plural}?limit=1")).status != 200:
            await asyncio.sleep(0.05)


def definition(kind: Kind) -> str:
    """Where a kind's definition is."""
    return f"{DEFINITIONS}/{crd_name(kind)}"


async def table_of(api: Api, path: str) -> dict[str, Any]:
    """What `kubectl get` is given to show."""
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with api.session.get(api.server + path, headers=accept) as got:
        assert got.status == 200
        return dict(await got.json())
