"""Witnessed: a graph of which only what verifies may run, where the environment demands that."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.codes.signing import UNVERIFIED
from reconciler.model.findings import ordered
from reconciler.model.graph import Graph, Missing
from reconciler.ports import Witness

_NOBODY = "could not be checked: nothing here can verify signatures"


async def witnessed(graph: Graph, witness: Witness) -> Graph:
    """The graph as it is where nothing is demanded; else what the witness says. Nobody is asked unless something is demanded."""
    return await witness(graph) if graph.environment.signing.require else graph


def is_open(graph: Graph) -> bool:
    """Whether something in it did not verify, and may at another time."""
    return any(finding.code == UNVERIFIED.id for finding in graph.findings)


async def nobody(graph: Graph) -> Graph:
    """The witness where there is none: nothing new runs, and what runs stays."""
    chosen = [ref for ref, choice in graph.choices.items() if not isinstance(choice, Missing)]
    fix = "run the whole program: pip install 'fleetwright[build]'"
    found = (UNVERIFIED.at(graph.resources[ref].document.place(("spec",)), _NOBODY, fix, ref) for ref in chosen)
    choices = {**graph.choices, **dict.fromkeys(chosen, Missing(_NOBODY))}
    return replace(graph, choices=choices, findings=ordered((*graph.findings, *found)))
