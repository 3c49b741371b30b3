"""A projector at work on a cluster, and what people do to what it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.facts import Facts
from reconciler.core.projecting import Projection, id_of, projection
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding
from reconciler.flow.projector import Projected, Projector
from reconciler.kinds import KINDS
from reconciler.model.findings import ordered
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.lock import Lock
from reconciler.model.manifests import ObjectId, Observed
from reconciler.model.projection import Standing
from reconciler.model.refs import Ref
from reconciler.ports import Cluster
from tests.fleets import TODAY

AT = "2026-11-21T10:00:00Z"
LATER = "2026-11-21T11:00:00Z"


def graph_of(reading: Understanding, where: Environment, lock: Lock | None = None) -> Graph:
    """The graph with every finding in it, as a pass has it."""
    graph = resolve(reading.fleet, KINDS, reading.linking, where, lock or Lock(), reading.tree, TODAY, findings=reading.findings)
    return replace(graph, findings=ordered((*reading.findings, *graph.findings)))


@dataclass
class Stage:
    """One environment on one cluster."""

    cluster: Cluster
    graph: Graph
    projector: Projector
    revision: str = "4be1d07"

    @classmethod
    def of(cls, cluster: Cluster, graph: Graph) -> Stage:
        """With a projector that knows nothing yet."""
        return cls(cluster, graph, Projector(cluster, graph.environment.id, KINDS))

    @property
    def projection(self) -> Projection:
        """What git asks for."""
        return projection(self.graph, KINDS)

    async def restarted(self) -> Stage:
        """The same with a new projector that has looked around."""
        stage = replace(self, projector=Projector(self.cluster, self.graph.environment.id, KINDS))
        await stage.projector.load()
        return stage

    async def project(self, at: str = AT, whole: bool = True, special: Mapping[Ref, Facts] | None = None) -> Projected:
        """One pass over everything (or over what is special alone), as if nothing else were to be said."""
        ids = self.projection.ids
        facts = {ref: Facts(self.revision) for ref in ids.values()} if whole else {}
        return await self.projector.project(self.projection, {**facts, **(special or {})}, at, whole=whole)

    def id(self, ref: Ref) -> ObjectId:
        """The custom resource of a spec."""
        return id_of(ref, self.graph.environment)

    async def live(self, ref: Ref) -> Observed:
        """A custom resource that must exist."""
        found = await self.cluster.read(self.id(ref))
        assert found is not None, f"{ref} has no custom resource"
        return found

    async def standing(self, ref: Ref) -> Standing:
        """What its status says."""
        return Standing.model_validate((await self.live(ref)).body["status"])

    async def reason(self, ref: Ref) -> str:
        """Why it is ready, or not."""
        return {one.type: one.reason for one in (await self.standing(ref)).conditions}["Ready"]

    async def all(self) -> dict[ObjectId, Observed]:
        """Every custom resource of this environment."""
        found = await self.cluster.list({"fleetwright.dev/environment": self.graph.environment.id}, self.projector.selection)
        return {one.id: one for one in found}

    async def versions(self) -> dict[ObjectId, str]:
        """Their versions, which any write moves."""
        return {id: one.resource_version for id, one in (await self.all()).items()}

    async def sees(self) -> list[Any]:
        """What a watch would show of all of them."""
        found = await self.cluster.list({}, self.projector.selection)
        return [self.projector.seen(one) for one in found]
