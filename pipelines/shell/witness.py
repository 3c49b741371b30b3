"""Witness: verifies what a graph would run, by the registry, for plans and for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pipelines.core.demand import demand
from pipelines.core.subjects import chosen
from pipelines.model.trust import Unchecked, Verification
from pipelines.shell import equipment
from reconciler.model.findings import ordered
from reconciler.model.graph import Graph


async def witness(graph: Graph) -> Graph:
    """The graph with only what verifies today; one look at each build that something would run."""
    found = demand(graph, await _verified(graph))
    return replace(graph, choices=found.choices, findings=ordered((*graph.findings, *found.findings)))


async def _verified(graph: Graph) -> Mapping[str, Verification]:
    subjects = chosen(graph)
    try:
        from pipelines.adapters.keys import BadKey, public_key
        from pipelines.flow.trusted import trusted
        from pipelines.flow.verify import verify

        registry = equipment.registry()
    except ImportError as missing:
        why = Unchecked(f"that needs {missing.name}, which is not here (pip install 'fleetwright[build]')")
        return {one.at.digest: why for one in subjects}
    try:
        keys = trusted(graph.environment.signing, public_key)
        found = await verify(registry, subjects, keys, datetime.now(UTC).date())
    except BadKey as bad:
        return {one.at.digest: Unchecked(f"a key under `signing` in fleet.yaml: {bad}") for one in subjects}
    finally:
        await equipment.closed(registry)
    return {one.at.digest: result for one, result in found.items()}
