"""Witness: who verifies builds where an environment demands signatures. A layer above names the module; it is imported when it is needed."""

from __future__ import annotations

import importlib

from reconciler.flow.witnessed import nobody
from reconciler.model.graph import Graph
from reconciler.ports import Witness

_CALLED: list[str] = []


def call(module: str) -> None:
    """Name the module whose `witness` verifies builds."""
    _CALLED[:] = [module]


def witness() -> Witness:
    """Whoever was called; else the one that vouches for nothing."""
    return _called if _CALLED else nobody


async def _called(graph: Graph) -> Graph:
    found: Witness = importlib.import_module(_CALLED[0]).witness
    return await found(graph)
