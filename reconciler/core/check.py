"""Check: everything that can be said of a fleet without an environment."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.codes import fleet as codes
from reconciler.core.layout import LABEL
from reconciler.core.linking import Linking, link
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding, ordered
from reconciler.model.fleet import Fleet
from reconciler.model.kind import Kind, Scene
from reconciler.model.refs import FLEET, Link, Ref


def check(fleet: Fleet, kinds: tuple[Kind, ...], tree: SourceTree, linking: Linking | None = None) -> tuple[Finding, ...]:
    """All findings of a fleet: those of parsing, of references and of each kind's own checks."""
    linking = linking or link(fleet, kinds)
    stage = scene(fleet, linking, tree)
    by_name = {kind.name: kind for kind in kinds}
    own = [finding for ref, resource in fleet.resources.items() for finding in by_name[ref.kind].checks(resource, stage)]
    among = [finding for kind in kinds for finding in kind.together(fleet.of_kind(kind.name), stage)]
    return ordered((*fleet.findings, *linking.findings, *own, *among, *_namespaces(fleet)))


def scene(fleet: Fleet, linking: Linking, tree: SourceTree) -> Scene:
    """What checks may see. Links to broken specs are left out: there is nothing to look at."""

    def links(ref: Ref) -> Iterator[tuple[Link, Ref]]:
        return ((mention, target) for mention, target in linking.links.get(ref, ()) if target in fleet.resources)

    return Scene(fleet, links, lambda ref: linking.backlinks.get(ref, ()), frozenset(tree.files), tree.files.get)


def _namespaces(fleet: Fleet) -> Iterator[Finding]:
    """Whether an environment's prefix leaves room for each tenant's name."""
    if fleet.spec is None or fleet.document is None:
        return
    tenants = sorted({ref.tenant for ref in fleet.resources if ref.tenant}, key=len)
    for name, environment in fleet.spec.environments.items():
        if tenants and len(longest := environment.namespace_prefix + tenants[-1]) > LABEL:
            place = fleet.document.place(("spec", "environments", name, "namespacePrefix"))
            message = f"the namespace {longest} has {len(longest)} characters; {LABEL} are allowed"
            yield codes.LONG_NAME.at(place, message, "shorten the prefix", FLEET)
