"""Linking: what the names in specs refer to, and in which order specs stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from reconciler.core.circles import circles
from reconciler.core.codes import references as codes
from reconciler.core.suggest import did_you_mean, listed
from reconciler.model.documents import Document
from reconciler.model.findings import Finding, ordered
from reconciler.model.fleet import Fleet, FleetSpec, Resource
from reconciler.model.kind import Kind
from reconciler.model.refs import FLEET, Link, Ref
from reconciler.model.spec import Spec
from reconciler.model.value import dataclass

TENANT = "Tenant"
"""The kind that makes what a tenant's specs stand on; a fleet of kinds without it has no tenants to miss."""
_COMPARISONS = 50_000
"""Names that are compared to find near ones, in a whole fleet: beyond, references to nothing go without a suggestion."""
_SHOWN = 12
"""Specs of a circle that are printed."""


@dataclass(frozen=True, slots=True)
class Linking:
    """How the specs of a fleet hang together."""

    links: Mapping[Ref, tuple[tuple[Link, Ref], ...]]
    """Of each resource: its links that resolve, with what they resolve to (a broken spec too)."""
    backlinks: Mapping[Ref, tuple[Ref, ...]]
    """What links to a spec, each linker once."""
    order: tuple[Ref, ...]
    """All resources, linked before linkers by `ordered` links, else by name; those in a circle last."""
    unresolved: frozenset[Ref]
    """Resources with a link that resolves to nothing, or in a circle."""
    findings: tuple[Finding, ...]

    def targets(self, ref: Ref) -> tuple[Ref, ...]:
        """What a resource links to, each once."""
        return tuple(dict.fromkeys(target for _, target in self.links.get(ref, ())))


def link(fleet: Fleet, kinds: tuple[Kind, ...]) -> Linking:
    """Resolve every name in every spec that parsed, and in `fleet.yaml`."""
    names = _Names(fleet, kinds)
    findings: list[Finding] = []
    links: dict[Ref, tuple[tuple[Link, Ref], ...]] = {}
    backlinks: dict[Ref, dict[Ref, None]] = {}
    unresolved: set[Ref] = set()
    faulty = fleet.broken & {finding.subject for finding in fleet.findings}  # not what merely waits for `fleet.yaml`
    for resource in sorted(fleet.resources.values(), key=lambda resource: resource.ref):
        ref, found = resource.ref, []
        for mention in names.kinds[ref.kind].links(resource):
            target = names.resolve(mention, ref, resource.document)
            if isinstance(target, Finding):
                findings.append(target)
                unresolved.add(ref)
                continue
            found.append((mention, target))
            backlinks.setdefault(target, {})[ref] = None
            if target in faulty:
                findings.append(_to_broken(mention, target, resource))
        links[ref] = tuple(found)
    for orphans in names.orphans(links):
        findings.append(_no_tenant(fleet.resources[orphans[0]], len(orphans), names))
        unresolved |= set(orphans)
    findings += _of_fleet(fleet, names)
    order, stuck = _order(links)
    for circle in circles({ref: _needed(links[ref]) & stuck for ref in sorted(stuck)}):
        findings.append(_circle(circle, fleet, links))
        unresolved |= set(circle)
    return Linking(links, {ref: tuple(linkers) for ref, linkers in backlinks.items()}, order, frozenset(unresolved), ordered(findings))


class _Names:
    """All names of a fleet, broken specs included, looked up in constant time."""

    def __init__(self, fleet: Fleet, kinds: tuple[Kind, ...]) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self.refs = frozenset(fleet.resources) | fleet.broken
        self.by_name: dict[str, list[Ref]] = {}
        self.by_kind: dict[str, list[Ref]] = {}
        for ref in sorted(self.refs):
            self.by_name.setdefault(ref.name, []).append(ref)
            self.by_kind.setdefault(ref.kind, []).append(ref)
        self.comparisons = 0

    def resolve(self, mention: Link, linker: Ref, document: Document) -> Ref | Finding:
        """What a link refers to, seen from `linker`; or the finding that it refers to nothing."""
        tenant, slash, name = mention.name.rpartition("/")
        if self.kinds[mention.kind].scope == "fleet":
            ref = Ref(mention.kind, name)
            if slash and ref in self.refs:
                place, message = (
                    document.place(mention.pointer),
                    f"what is of kind {mention.kind} belongs to the whole fleet, not to a tenant",
                )
                return codes.NO_TENANT.at(place, message, f"write `{name}`", linker)
        elif slash or linker.tenant:
            ref = Ref(mention.kind, name, tenant or linker.tenant)
        else:
            candidates = [ref for ref in self.by_name.get(name, ()) if ref.kind == mention.kind]
            if len(candidates) > 1:
                message, fix = f"several tenants have a {mention.kind} `{name}`", f"write {listed((ref.short for ref in candidates), 'or')}"
                return codes.UNCLEAR.at(document.place(mention.pointer), message, fix, linker)
            ref = candidates[0] if candidates else Ref(mention.kind, name)
        return ref if ref in self.refs else self._missing(mention, ref, linker, document)

    def orphans(self, refs: Iterable[Ref]) -> Iterable[list[Ref]]:
        """What stands in the folder of a tenant that has no spec, tenant by tenant."""
        orphans: dict[str, list[Ref]] = {}
        for ref in refs if TENANT in self.kinds else ():
            if ref.tenant and Ref(TENANT, ref.tenant) not in self.refs:
                orphans.setdefault(ref.tenant, []).append(ref)
        return orphans.values()

    def path(self, wanted: Ref) -> str:
        """Where a spec would stand."""
        folder = self.kinds[wanted.kind].folder
        tenant = (wanted.tenant or "TENANT") + "/" if self.kinds[wanted.kind].scope == "tenant" else ""
        return f"specs/{folder}/{tenant}{wanted.name}.yaml"

    def _missing(self, mention: Link, wanted: Ref, linker: Ref, document: Document) -> Finding:
        place = document.place(mention.pointer)
        same_name = self.by_name.get(wanted.name, [])
        elsewhere = [ref for ref in same_name if ref.kind == mention.kind]
        if elsewhere and "/" not in mention.name:
            message = f"tenant {linker.tenant} has no {mention.kind} `{mention.name}`; {listed(ref.tenant for ref in elsewhere)} has"
            return codes.OTHER_TENANT.at(place, message, f"write {listed((ref.short for ref in elsewhere), 'or')}", linker)
        others = [
            ref
            for ref in same_name
            if ref.kind in self.kinds and ref.kind != mention.kind and ref.tenant in (wanted.tenant, linker.tenant, "")
        ]
        if others and not elsewhere:
            message = f"`{mention.name}` is of kind {listed(ref.kind for ref in others)}, not {mention.kind}"
            return codes.WRONG_KIND.at(place, message, f"name a {mention.kind}", linker)
        fix = did_you_mean(mention.name, self._near(mention, linker), f"add {self.path(wanted)}")
        return codes.DANGLING.at(place, f"there is no {mention.kind} `{mention.name}`", fix, linker)

    def _near(self, mention: Link, linker: Ref) -> list[str]:
        """Names that might be meant, as the linker would write them."""
        known = self.by_kind.get(mention.kind, [])
        self.comparisons += len(known)
        if self.comparisons > _COMPARISONS:
            return []
        return [ref.name if ref.tenant == linker.tenant or not ref.tenant else ref.short for ref in known]


def _to_broken(mention: Link, target: Ref, resource: Resource[Spec]) -> Finding:
    message = f"{target.kind} `{mention.name}` has errors; until they are fixed this is kept as it runs"
    return codes.BROKEN.at(resource.document.place(mention.pointer), message, f"fix {target}", resource.ref)


def _no_tenant(resource: Resource[Spec], count: int, names: _Names) -> Finding:
    tenant = resource.ref.tenant
    message = f"there is no tenant `{tenant}`; {count} specs stand in its folders" if count > 1 else f"there is no tenant `{tenant}`"
    fix = did_you_mean(tenant, (ref.name for ref in names.by_kind.get(TENANT, ())), f"add {names.path(Ref(TENANT, tenant))}")
    return codes.NO_SUCH_TENANT.at(resource.document.place(), message, fix, resource.ref)


def _of_fleet(fleet: Fleet, names: _Names) -> Iterator[Finding]:
    """What `fleet.yaml` mentions."""
    if fleet.spec is None or fleet.document is None:
        return
    for mention in _mentions(fleet.spec):
        if mention.kind in names.kinds:
            target = names.resolve(mention, FLEET, fleet.document)
            if isinstance(target, Finding):
                yield target


def _mentions(spec: FleetSpec) -> Iterator[Link]:
    if spec.policy is not None:
        yield Link("PolicyPack", spec.policy, ("spec", "policy"), ordered=False)
    for machine, reports in spec.observability.items():
        yield Link("Service", reports.service, ("spec", "observability", machine, "service"), ordered=False)


def _needed(links: Iterable[tuple[Link, Ref]]) -> frozenset[Ref]:
    return frozenset(target for mention, target in links if mention.ordered)


def _order(links: Mapping[Ref, tuple[tuple[Link, Ref], ...]]) -> tuple[tuple[Ref, ...], frozenset[Ref]]:
    """All resources in order, and those that have no place in it: in a circle, or behind one."""
    sorter = TopologicalSorter({ref: sorted(_needed(found) & links.keys()) for ref, found in links.items()})
    with suppress(CycleError):  # what is in no circle can be had all the same
        sorter.prepare()
    order: list[Ref] = []
    while ready := sorter.get_ready():
        order += sorted(ready)
        sorter.done(*ready)
    stuck = frozenset(links).difference(order)
    return (*order, *sorted(stuck)), stuck


def _circle(circle: tuple[Ref, ...], fleet: Fleet, links: Mapping[Ref, tuple[tuple[Link, Ref], ...]]) -> Finding:
    first, second = circle[0], circle[1 % len(circle)]
    pointer = next(mention.pointer for mention, target in links[first] if target == second and mention.ordered)
    alone = len({ref.tenant for ref in circle}) == 1
    shown = [ref.name if alone else ref.short for ref in (*circle, first)]
    if len(shown) > _SHOWN:
        shown[_SHOWN - 2 : -1] = [f"({len(shown) - _SHOWN + 1} more)"]
    message = f"references in a circle: {' -> '.join(shown)}"
    return codes.CIRCLE.at(fleet.resources[first].document.place(pointer), message, "take out one of these references", first)
