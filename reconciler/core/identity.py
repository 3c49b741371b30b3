"""Identity: the id that an environment had when it was first installed in a target. It labels every object, so no commit may change it."""

from __future__ import annotations

from reconciler.model.findings import Code, Finding, Place, error
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.graph import Graph
from reconciler.model.manifests import MANAGED_BY, MANAGER, Body, ObjectId, Observed
from reconciler.model.refs import FLEET

MOVED = error(
    "ENV003",
    "the id of an environment has changed",
    "Every object of an environment carries its id as a label; that is how the fleet finds them again. With another id all of them would be "
    "somebody else's: none would be updated, none pruned. So the id is fixed at the first install. Without `id` it is FLEET-ENVIRONMENT: whoever "
    "renames the fleet or the environment writes the old id down.",
)
CODES: tuple[Code, ...] = (MOVED,)

RECORD_LABEL = "fleetwright.dev/record"
"""By it an operator watches the record of its environment: annotations there are orders for everything (see `orders`)."""


def record_id(graph: Graph) -> ObjectId:
    """Where a target remembers the id of this environment of this fleet."""
    return ObjectId("", "ConfigMap", SYSTEM_NAMESPACE, f"environment-{graph.fleet.name}.{graph.environment.name}")


def record(graph: Graph) -> Body:
    """What it remembers."""
    name = record_id(graph).name
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": {MANAGED_BY: MANAGER, RECORD_LABEL: graph.environment.id}},
        "data": {"id": graph.environment.id},
    }


def labelled(graph: Graph, standing: Observed) -> Body | None:
    """A record of an older version with the label that it lacks, as a replacement of just this version; None where it has it."""
    metadata = standing.body["metadata"]
    labels = metadata.get("labels") or {}
    if labels.get(RECORD_LABEL) == graph.environment.id:
        return None
    return {**standing.body, "metadata": {**metadata, "labels": {**labels, **record(graph)["metadata"]["labels"]}}}


def moved(graph: Graph, standing: Observed | None) -> Finding | None:
    """The finding that the id is not the one of the first install."""
    was = standing.body.get("data", {}).get("id", "") if standing is not None else ""
    if not was or was == graph.environment.id:
        return None
    fix = (
        f"write `id: {was}` there; to begin anew once nothing of it is left: "
        f"kubectl -n {SYSTEM_NAMESPACE} delete configmap {record_id(graph).name}"
    )
    return _moved(
        graph, f"the target knows {graph.environment.name} by the id `{was}`, not `{graph.environment.id}`; nothing was written", fix
    )


def renamed(before: Graph, after: Graph) -> tuple[Finding, ...]:
    """The finding that a commit changes the id."""
    was, now = before.environment.id, after.environment.id
    if was == now:
        return ()
    return (_moved(after, f"the id of {after.environment.name} was `{was}` and would be `{now}`", f"write `id: {was}` there"),)


def _moved(graph: Graph, message: str, fix: str) -> Finding:
    document = graph.fleet.document
    place = document.place(("spec", "environments", graph.environment.name, "id")) if document else Place("fleet.yaml")
    return MOVED.at(place, message, fix, FLEET)
