"""Looks whether a fleet builds anything at all, before what reads Dockerfiles is imported."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.shell.workspace import Workspace


def findings(workspace: Workspace, graph: Graph) -> Iterable[Finding]:
    """Findings on every context; nothing where there is none."""
    specs = (resource.spec for resource in graph.resources.values())
    if not any(getattr(spec, "context", None) or getattr(spec, "build", None) for spec in specs):
        return ()
    from pipelines.shell import contexts

    return contexts.findings(workspace, graph)
