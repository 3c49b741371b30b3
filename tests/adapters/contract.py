"""What the contract tests of `Cluster` stand on: a target under test and the objects that they write to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.crds import crds
from reconciler.kinds import KINDS as KIND_TABLE
from reconciler.model.manifests import MANAGER, Body, ObjectId, Observed, identify
from reconciler.model.spec import API_VERSION
from reconciler.ports import Accepted, Cluster, Event, Refused

LABEL = "fleetwright.dev/environment"
KINDS = (("", "Namespace"), ("", "ServiceAccount"), ("", "ConfigMap"), ("", "Service"), ("apps", "Deployment"))


@dataclass(frozen=True)
class Target:
    """One target under test. `place` is a namespace and a label value of its own; `whole`: validation, defaulting and admission exist."""

    name: str
    place: str
    writer: Callable[[str], Cluster]
    whole: bool = True
    writers: dict[str, Cluster] = field(default_factory=dict)

    def by(self, manager: str) -> Cluster:
        """The target as this field manager writes to it."""
        if manager not in self.writers:
            self.writers[manager] = self.writer(manager)
        return self.writers[manager]

    @property
    def ours(self) -> Cluster:
        """The target as we write to it."""
        return self.by(MANAGER)

    @property
    def labels(self) -> dict[str, str]:
        """Labels that only this test's objects have."""
        return {LABEL: self.place}

    def metadata(self, name: str, **more: Any) -> dict[str, Any]:
        """Metadata of one of this test's objects in its namespace."""
        return {"name": name, "namespace": self.place, "labels": self.labels, **more}

    def namespace(self) -> Body:
        """This test's namespace."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.place, "labels": self.labels}}

    def config(self, name: str = "settings", data: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """A ConfigMap."""
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(name), "data": data or {"colour": "blue"}, **more}

    def deployment(self, name: str = "web", **container: Any) -> dict[str, Any]:
        """A Deployment with one container."""
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.metadata(name),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": "registry.test/web:1", **container}]},
                },
            },
        }

    def service(self, *ports: dict[str, Any]) -> dict[str, Any]:
        """A Service."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self.metadata("web"),
            "spec": {"selector": {"app": "web"}, "ports": list(ports)},
        }

    def task(self, name: str = "sweep", worker: str = "worker") -> dict[str, Any]:
        """A custom resource of ours."""
        spec = {"worker": worker, "entrypoint": "tasks.sweep:run", "schedule": {"every": "5m"}}
        return {"apiVersion": API_VERSION, "kind": "Task", "metadata": self.metadata(name), "spec": spec}

    async def defined(self, kind: str) -> None:
        """The definition of a custom resource, in force."""
        (body,) = (body for body in crds(KIND_TABLE) if body["spec"]["names"]["kind"] == kind)
        await self.applied(body)
        while self.name != "memory" and not _established(await self.live(identify(body))):
            await asyncio.sleep(0.05)

    async def said(self, status: Body) -> Accepted:
        """A status of the task that must be accepted."""
        answer = await self.ours.apply_status({**self.task(), "metadata": self.metadata("sweep"), "status": status})
        assert isinstance(answer, Accepted), answer
        return answer

    async def live(self, id: ObjectId) -> Observed:
        """An object that must exist."""
        observed = await self.ours.read(id)
        assert observed is not None, f"{id} is not there"
        return observed

    async def applied(self, body: Body, manager: str = MANAGER, *, force: bool = True) -> Accepted:
        """Apply that must be accepted."""
        answer = await self.by(manager).apply(body, dry_run=False, force=force)
        assert isinstance(answer, Accepted), answer
        return answer

    async def edited(self, id: ObjectId, manager: str, mutate: Callable[[dict[str, Any]], None]) -> Accepted:
        """What a person with an editor does: read, change, replace."""
        body = copied((await self.live(id)).body)
        mutate(body)
        answer = await self.by(manager).put(body)
        assert isinstance(answer, Accepted), answer
        return answer


def _established(definition: Observed) -> bool:
    conditions = {one["type"]: one["status"] for one in definition.body.get("status", {}).get("conditions") or ()}
    return conditions.get("Established") == "True"


def condition(type: str, status: str = "True") -> dict[str, Any]:
    """A condition of a status."""
    return {"type": type, "status": status, "reason": "Said", "message": "", "lastTransitionTime": "2026-11-21T10:00:00Z"}


def copied(value: Any) -> Any:
    """A copy of a JSON value that may be changed."""
    if isinstance(value, dict):
        return {name: copied(child) for name, child in value.items()}
    return [copied(child) for child in value] if isinstance(value, list) else value


def refused(answer: Any, status: int) -> Refused:
    """The refusal that must have come."""
    assert isinstance(answer, Refused), answer
    assert answer.status == status, answer
    return answer


def managers(body: Body) -> set[tuple[str, str]]:
    """Managers of a live object and how they wrote, those of its status left out."""
    return {(e["manager"], e["operation"]) for e in body["metadata"].get("managedFields", ()) if "subresource" not in e}


def names(objects: Iterable[Observed]) -> set[str]:
    """Names of objects."""
    return {observed.id.name for observed in objects}


async def next_event(events: AsyncIterator[Event], within: float = 20) -> Event:
    """The next event of a watch; a watch that stays silent is a failed test, not one that hangs."""
    return await asyncio.wait_for(anext(events), within)


def of(body: Body) -> ObjectId:
    """The identity of a body."""
    return identify(body)
