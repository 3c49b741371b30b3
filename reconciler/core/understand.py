"""Understand: a source as far as no environment is needed: fleet, links, findings."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.core.check import check
from reconciler.core.linking import Linking, link
from reconciler.core.parse import parse
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.model.fleet import Fleet
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind


class Understanding(NamedTuple):
    """A source as understood: every finding of parse and check, in order of place."""

    tree: SourceTree
    fleet: Fleet
    linking: Linking
    findings: tuple[Finding, ...]


def understand(tree: SourceTree, kinds: tuple[Kind, ...], before: Graph | None = None) -> Understanding:
    """Parse and check in one. What did not change since the graph `before` is taken from it."""
    fleet = parse(tree, kinds, before)
    linking = link(fleet, kinds)
    return Understanding(tree, fleet, linking, check(fleet, kinds, tree, linking))
