"""What the layer above adds here: checks of `fleet lint`, and codes. Named as `module:attribute`, imported when somebody needs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from reconciler.model.findings import Code, Finding

if TYPE_CHECKING:
    from reconciler.model.graph import Graph
    from reconciler.shell.workspace import Workspace

_checks: list[str] = []
_codes: list[str] = []


def add(*, checks: Iterable[str] = (), codes: Iterable[str] = ()) -> None:
    """Add checks, (workspace, graph) -> findings that no environment changes; and codes, tuples of them. Each once."""
    for known, names in ((_checks, checks), (_codes, codes)):
        known += [name for name in names if name not in known]


def findings(workspace: Workspace, graph: Graph) -> Iterator[Finding]:
    """What the checks of the layer above find."""
    for name in _checks:
        check: Callable[[Workspace, Graph], Iterable[Finding]] = _named(name)
        yield from check(workspace, graph)


def codes() -> Iterator[Code]:
    """The codes of the layer above."""
    for name in _codes:
        yield from _named(name)


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
