"""Policies: what each image must pass, from the fleet, its own spec, and the specs of what it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipelines.core.gate import gate
from pipelines.core.targets import lineage
from pipelines.core.vex import NotVex, read_vex
from pipelines.model.recipe import Target
from pipelines.model.verdict import Policy, Statement
from reconciler.kinds.image.spec import Gate, ImageSpec
from reconciler.model.fleet import GateDefaults
from reconciler.model.graph import Graph

Read = Callable[[str], bytes | None]
"""The bytes of a file of the repository."""


def policies(graph: Graph, all: tuple[Target, ...], read: Read) -> dict[str, Policy]:
    """The policy of each target, by name."""
    return {target.name: _policy(graph, all, target, read) for target in all}


def _policy(graph: Graph, all: tuple[Target, ...], target: Target, read: Read) -> Policy:
    line = [(above.name, _spec(graph, above)) for above in lineage(all, target.name)]
    statements: list[Statement] = []
    faults: list[str] = []
    for path in dict.fromkeys(path for _, spec in line if spec for path in spec.gate.vex):
        data = read(path)
        try:
            statements += read_vex(path, data) if data is not None else ()
        except NotVex as wrong:
            faults.append(str(wrong))
        if data is None:
            faults.append(f"{path} is not there")
    own = line[0][1]
    defaults = graph.fleet.spec.gate if graph.fleet.spec else GateDefaults()
    budget = int(own.size_budget) if own and own.size_budget is not None else None
    return gate(defaults, [(name, spec.gate if spec else Gate()) for name, spec in line], statements, faults, budget)


def _spec(graph: Graph, target: Target) -> ImageSpec | None:
    spec = graph.resources[target.ref].spec
    return spec if isinstance(spec, ImageSpec) else None


def smokes(graph: Graph, all: tuple[Target, ...]) -> Mapping[str, tuple[str, ...]]:
    """The command that must succeed in each image that has one."""
    return {target.name: spec.smoke for target in all if (spec := _spec(graph, target)) and spec.smoke}
