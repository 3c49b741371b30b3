"""Resolve: the fleet as it is in one environment. Never raises; what is broken, and what depends on it, is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from reconciler.core.choose import choose
from reconciler.core.linking import Linking
from reconciler.core.place import overcommitted, place
from reconciler.core.trust import trust
from reconciler.core.validate import validate
from reconciler.core.values import may_mention, mentions, substitute
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Code, Finding, Pointer, error, ordered
from reconciler.model.fleet import Environment, Fleet, Resource
from reconciler.model.graph import Choice, Graph, Placement
from reconciler.model.holds import Hold
from reconciler.model.kind import Kind
from reconciler.model.lock import Lock
from reconciler.model.refs import Ref
from reconciler.model.spec import Spec

UNFIT = error(
    "ENV002",
    "a value of this environment does not fit",
    "A spec reads `${env.NAME}`, and what this environment gives for it is not what the field takes. The spec is kept as it runs.",
)
CODES: tuple[Code, ...] = (UNFIT,)


def resolve(
    fleet: Fleet,
    kinds: tuple[Kind, ...],
    linking: Linking,
    environment: Environment,
    lock: Lock,
    tree: SourceTree,
    today: date,
    *,
    forced: Mapping[Ref, Hold] | None = None,
    findings: Iterable[Finding] = (),
    before: Graph | None = None,
) -> Graph:
    """The graph of `fleet` in `environment`. `findings` are those of check: what has an error is kept. `forced` are one-off holds.

    `before` is an earlier graph of it: resources that are the same there are taken over with their values.
    """
    table = {kind.name: kind for kind in kinds}
    found: list[Finding] = []
    filled, unfit = _filled(fleet, environment, table, tree, before)
    found += unfit
    wrong = {ref for ref in (finding.subject for finding in (*findings, *unfit) if finding.is_error) if ref and ref in fleet.resources}
    kept = _closure(fleet.broken | wrong | linking.unresolved, fleet, linking)
    resources = {ref: filled[ref] for ref in linking.order if ref in filled and ref not in kept}
    needs = {ref: need for ref, resource in resources.items() if (need := table[ref.kind].needs(resource, fleet))}
    placements: dict[Ref, Placement] = {ref: place(need, environment) for ref, need in needs.items()}
    found += overcommitted(needs, placements, environment, fleet)
    found += trust(fleet, environment, today)
    choices, about = _choices(resources, table, environment, lock, today, forced or {})
    return Graph(
        fleet=fleet,
        environment=environment,
        lock=lock,
        resources=resources,
        links={ref: linking.targets(ref) for ref in linking.links},
        backlinks=linking.backlinks,
        placements=placements,
        choices=choices,
        kept=kept,
        findings=ordered((*found, *about)),
        digests=tree.digests,
        documents=tree.files,
    )


def _filled(
    fleet: Fleet, environment: Environment, table: Mapping[str, Kind], tree: SourceTree, before: Graph | None
) -> tuple[dict[Ref, Resource[Spec]], list[Finding]]:
    """Resources with this environment's values in place of the fleet's defaults."""
    assert fleet.spec is not None
    if environment.values == fleet.spec.values:
        return dict(fleet.resources), []
    filled, findings = dict(fleet.resources), []
    known = before if before is not None and before.environment.values == environment.values else None
    for ref, resource in fleet.resources.items():
        if known is not None and known.fleet.resources.get(ref) is resource and ref in known.resources:
            filled[ref] = known.resources[ref]
            continue
        if not may_mention(tree.files[resource.document.path]):
            continue
        value: Any = resource.document.value["spec"]
        names = dict(mentions(value, ("spec",)))
        if not names:
            continue
        substituted = substitute(value, environment.values)
        spec, wrong = validate(table[ref.kind].spec, substituted, resource.document, ("spec",))
        findings += [_unfit(resource, environment, names, finding) for finding in wrong]
        if spec is None:
            continue
        _as_written(spec, resource.spec, substituted, value)
        filled[ref] = Resource(ref, spec, resource.labels, resource.annotations, resource.document)
    return filled, findings


def _as_written(spec: Spec, other: Spec, substituted: Mapping[str, Any], value: Mapping[str, Any]) -> None:
    """Gives a spec that nobody has yet the fields of another where both were read from the very same value: one copy is enough."""
    for name, field in type(spec).model_fields.items():
        written = field.alias or name
        if substituted.get(written) is value.get(written):
            spec.__dict__[name] = other.__dict__[name]


def _unfit(resource: Resource[Spec], environment: Environment, names: Mapping[Pointer, str], wrong: Finding) -> Finding:
    """A field that takes its text but not the value for it, told at the mention: there, or else the first one of the spec."""
    pointer = wrong.place.pointer if wrong.place.pointer in names else next(iter(names))
    name = names[pointer]
    message = f"{environment.name} gives {name} = {environment.values.get(name)!r}: {wrong.message}"
    fix = f"correct `{name}` under environments.{environment.name}.values in fleet.yaml"
    return UNFIT.at(resource.document.place(pointer), message, fix, resource.ref)


def _closure(broken: Iterable[Ref], fleet: Fleet, linking: Linking) -> frozenset[Ref]:
    """What is broken and everything that depends on it, however far. What stands in a tenant's folder depends on the tenant."""
    members: dict[str, list[Ref]] = defaultdict(list)
    for ref in fleet.resources:
        members[ref.tenant].append(ref)
    kept, queue = set(broken), list(broken)
    while queue:
        ref = queue.pop()
        for linker in (*linking.backlinks.get(ref, ()), *(members[ref.name] if ref.kind == "Tenant" else ())):
            if linker not in kept:
                kept.add(linker)
                queue.append(linker)
    return frozenset(kept)


def _choices(
    resources: Mapping[Ref, Resource[Spec]],
    table: Mapping[str, Kind],
    environment: Environment,
    lock: Lock,
    today: date,
    forced: Mapping[Ref, Hold],
) -> tuple[dict[Ref, Choice], list[Finding]]:
    choices: dict[Ref, Choice] = {}
    findings: list[Finding] = []
    for ref, resource in resources.items():
        use = table[ref.kind].image(resource)
        if use is None:
            continue
        if ref in forced:
            use = replace(use, hold=forced[ref])
        choices[ref], about = choose(resource, use, environment, lock, today)
        findings += about
    return choices, findings
