"""Check: everything that can be said of a fleet without an environment."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.linking import Linking, link
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding, ordered
from reconciler.model.fleet import Fleet
from reconciler.model.kind import Kind, Scene
from reconciler.model.refs import Link, Ref


def check(fleet: Fleet, kinds: tuple[Kind, ...], tree: SourceTree, linking: Linking | None = None) -> tuple[Finding, ...]:
    """All findings of a fleet: those of parsing, of references and of each kind's own checks."""
    linking = linking or link(fleet, kinds)
    stage = scene(fleet, linking, tree)
    by_name = {kind.name: kind for kind in kinds}
    own = [finding for ref, resource in fleet.resources.items() for finding in by_name[ref.kind].checks(resource, stage)]
    among = [finding for kind in kinds for finding in kind.together(fleet.of_kind(kind.name), stage)]
    return ordered((*fleet.findings, *linking.findings, *own, *among))


def scene(fleet: Fleet, linking: Linking, tree: SourceTree) -> Scene:
    """What checks may see. Links to broken specs are left out: there is nothing to look at."""

    def links(ref: Ref) -> Iterator[tuple[Link, Ref]]:
        return ((mention, target) for mention, target in linking.links.get(ref, ()) if target in fleet.resources)

    return Scene(fleet, links, lambda ref: linking.backlinks.get(ref, ()), frozenset(tree.files), tree.files.get)
