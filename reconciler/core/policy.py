"""Policy: the rules of each tenant's effective policy, asked of its specs. Findings are warnings unless the policy blocks their code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from reconciler.core.cel.engine import LINKED, OBJECT, PLACEMENT, POLICY, TENANT, TODAY, Unjudged, activation, all_hold, all_of
from reconciler.core.codes import rules as codes
from reconciler.core.rules import Judge, is_rule, read_rule
from reconciler.core.view import Seen, View
from reconciler.kinds.policy_pack.effective import Effective
from reconciler.kinds.policy_pack.rules import PLACEHOLDERS
from reconciler.kinds.policy_pack.spec import PolicyPackSpec
from reconciler.model.findings import Finding, Severity, ordered
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref
from reconciler.model.spec import Spec

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_TENANT_KIND = "Tenant"


class _Set(NamedTuple):
    """The rules of one policy about one kind, and one program that says yes where all of them hold."""

    judges: tuple[Judge, ...]
    program: Any
    reads: frozenset[str]
    capacity: int


def policy(graph: Graph, kinds: tuple[Kind, ...], today: date) -> tuple[Finding, ...]:
    """All findings of rules: on the rule files themselves, and on every spec that a rule is about."""
    read = {path: read_rule(path, graph.documents[path], kinds) for path in _rule_files(graph)}
    findings = [finding for _, wrong in read.values() for finding in wrong]
    judges = {path: judge for path, (judge, _) in read.items() if judge is not None}
    if judges:
        findings += _judged(View(graph, kinds), judges, today.isoformat())
    return ordered(findings)


def _rule_files(graph: Graph) -> list[str]:
    """Files of the folders that packs name, packs that are kept included: their rules hold until they are mended."""
    packs = (resource.spec for resource in graph.fleet.of_kind("PolicyPack"))
    folders = {pack.rules for pack in packs if isinstance(pack, PolicyPackSpec) and pack.rules is not None}
    return sorted(path for path in graph.documents if path.endswith(".yaml") and path.rpartition("/")[0] in folders)


def _judged(view: View, judges: Mapping[str, Judge], today: str) -> Iterator[Finding]:
    @cache
    def rules_of(folders: tuple[str, ...], kind: str) -> _Set | None:
        in_force = {judge.code: judge for folder in folders for path, judge in judges.items() if is_rule(path, folder)}
        return _set(tuple(judge for _, judge in sorted(in_force.items()) if judge.rule.scope == kind))

    for ref, resource in view.graph.resources.items():
        tenant = ref.name if ref.kind == _TENANT_KIND else ref.tenant
        holding = view.policy(tenant)
        asked = rules_of(holding.rules, ref.kind) if holding is not None else None
        if holding is not None and asked is not None:
            yield from _ask(asked, resource, _Subject(view, ref, tenant, holding, today), holding)


def _set(judges: tuple[Judge, ...]) -> _Set | None:
    if not judges:
        return None
    reads = frozenset[str]().union(*(judge.expression.reads for judge in judges))
    return _Set(judges, all_of(judge.expression for judge in judges), reads, min(judge.expression.capacity for judge in judges))


class _Subject(NamedTuple):
    """A resource and its surroundings."""

    view: View
    ref: Ref
    tenant: str
    policy: Effective
    today: str

    def values(self, reads: Iterable[str]) -> tuple[dict[str, Any], dict[str, int]]:
        """Values of variables, and their sizes. What no rule of the kind reads is not worked out."""
        seen = {name: _VARIABLES[name](self) for name in reads}
        return {name: value for name, (value, _) in seen.items()}, {name: size for name, (_, size) in seen.items()}


_VARIABLES: Mapping[str, Callable[[_Subject], Seen]] = {
    OBJECT: lambda subject: subject.view.object(subject.ref),
    LINKED: lambda subject: subject.view.linked(subject.ref),
    PLACEMENT: lambda subject: subject.view.placement(subject.ref),
    TENANT: lambda subject: subject.view.tenant(subject.tenant),
    POLICY: lambda subject: Seen(subject.policy.value, subject.policy.size),
    TODAY: lambda subject: Seen(subject.today, len(subject.today)),
}


def _ask(asked: _Set, resource: Resource[Spec], subject: _Subject, holding: Effective) -> Iterator[Finding]:
    values, sizes = subject.values(asked.reads)
    bound = activation(values)
    if sum(sizes.values()) <= asked.capacity and all_hold(asked.program, bound):
        return
    for judge in asked.judges:
        severity = Severity.ERROR if judge.code in holding.block else judge.severity
        try:
            if _answered(judge, bound, sizes):
                continue
        except Unjudged as problem:
            message, fix = f"{judge.code} cannot be judged: {problem}", f"correct the rule {judge.code}, or the field it reads"
            level = Severity.ERROR if severity is Severity.ERROR else Severity.WARNING
            yield Finding(codes.UNJUDGED.id, level, resource.document.place(judge.pointer), resource.ref, message, fix)
            continue
        place = resource.document.place(judge.pointer)
        yield Finding(judge.code, severity, place, resource.ref, _said(judge.rule.message, subject), _said(judge.rule.fix, subject))


def _answered(judge: Judge, bound: Any, sizes: Mapping[str, int]) -> bool:
    expression = judge.expression
    size = sum(sizes[name] for name in expression.reads)
    if size > expression.capacity:
        raise Unjudged(f"the spec and what it links to have {size:,} characters, the rule looks through {expression.capacity:,}")
    return expression.holds(bound)


def _said(text: str, subject: _Subject) -> str:
    placement = subject.view.placement(subject.ref).value
    words = {
        "name": subject.ref.name,
        "tenant": subject.tenant,
        "kind": subject.ref.kind,
        "machine": placement["machine"],
        "reason": placement["reason"],
    }
    return _PLACEHOLDER.sub(lambda found: words[found[1]], text)
