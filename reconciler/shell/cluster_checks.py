"""What `fleet doctor` asks of a cluster: does it answer, may we do what an apply does, are the secrets there that services name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.graph import Graph
from reconciler.model.manifests import SHAPES
from reconciler.ports import Unreachable
from reconciler.shell.checks import Check, State

if TYPE_CHECKING:
    from reconciler.adapters.cluster.checkup import Checkup, Right

_VERBS = ("list", "watch", "create", "patch", "delete")
_SHOWN = 4
Wanted = Mapping[tuple[str, str], tuple[str, ...]]
"""(namespace, secret) -> the specs that name it."""


async def of_cluster(graph: Graph, root: Path, environ: Mapping[str, str]) -> tuple[Check, ...]:
    """All checks of the environment's target; the first one that fails ends them."""
    environment = graph.environment
    if environment.target.kubernetes is None:
        return (Check("target", State.OK, "no cluster to look at"),)
    from reconciler.adapters.cluster import access
    from reconciler.adapters.cluster.checkup import Checkup

    given = environment.target.kubernetes.kubeconfig
    try:
        found = access(environ, str(root / given) if given else None, environment.target.kubernetes.context)
    except Unreachable as lost:
        return (Check("kubeconfig", State.FAIL, str(lost), lost.fix),)
    checks = [Check("kubeconfig", State.OK, found.place)]
    try:
        async with Checkup(found) as checkup:
            simulated = " (simulated)" if environment.simulated else ""
            checks.append(Check("cluster", State.OK, f"{found.server} answers, {await checkup.version()}{simulated}"))
            checks.append(await _rights(checkup))
            checks.append(await _secrets(checkup, wanted(graph)))
    except Unreachable as lost:
        checks.append(Check("cluster", State.FAIL, str(lost), lost.fix))
    return tuple(checks)


def rights() -> Iterator[Right]:
    """What an apply does: everything that the fleet renders, and the Lease."""
    from reconciler.adapters.cluster.checkup import Right

    for (group, _), shape in SHAPES.items():
        yield from (Right(verb, group, shape.plural) for verb in _VERBS)
    yield from (Right(verb, "coordination.k8s.io", "leases", SYSTEM_NAMESPACE) for verb in ("get", "create", "update"))


async def _rights(checkup: Checkup) -> Check:
    denied = await checkup.denied(rights())
    if denied is None:
        return Check(
            "rights", State.WARN, "the server does not review rights, so they are not known", "a plan asks for all that an apply writes"
        )
    if not denied:
        return Check("rights", State.OK, "all that an apply needs")
    verbs: dict[str, list[str]] = defaultdict(list)
    for right in denied:
        verbs[right.target].append(right.verb)
    told = "; ".join(f"{', '.join(words)} {target}" for target, words in verbs.items())
    return Check("rights", State.FAIL, f"{len(denied)} are missing: {told}", "let a cluster administrator bind a role with them")


def wanted(graph: Graph) -> Wanted:
    """Every secret that something in the fleet needs to run here."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for manifest in render(graph, KINDS):
        for name in _named(manifest.body):
            found[manifest.id.namespace, name][str(manifest.owner)] = None
    return {secret: tuple(owners) for secret, owners in sorted(found.items())}


def _named(value: Any) -> Iterator[str]:
    """Secrets that a manifest refers to, wherever it does; what is `optional` may be missing."""
    match value:
        case {"secretKeyRef": {"name": str(name)} as reference} | {"secretRef": {"name": str(name)} as reference}:
            if not reference.get("optional"):
                yield name
        case {"secret": {"secretName": str(name)} as reference} if not reference.get("optional"):
            yield name
        case dict():
            yield from (entry["name"] for entry in value.get("imagePullSecrets") or () if "name" in entry)
            for item in value.values():
                yield from _named(item)
        case list():
            for item in value:
                yield from _named(item)
        case _:
            return


async def _secrets(checkup: Checkup, names: Wanted) -> Check:
    if not names:
        return Check("secrets", State.OK, "no service names one")
    missing, unknown = [], 0
    for namespace, name in names:
        has = await checkup.has_secret(namespace, name)
        unknown += has is None
        if has is False:
            missing.append((namespace, name))
    if missing:
        told = _some(f"{namespace}/{name} (for {', '.join(names[namespace, name][:2])})" for namespace, name in missing)
        fix = f"kubectl -n {missing[0][0]} create secret generic {missing[0][1]} --from-literal=KEY=VALUE"
        return Check("secrets", State.WARN, f"{len(missing)} of {len(names)} are missing, their pods cannot start: {told}", fix)
    if unknown:
        return Check(
            "secrets", State.WARN, f"{unknown} of {len(names)} cannot be looked up", "let the account get secrets, or look with kubectl"
        )
    return Check("secrets", State.OK, f"all {len(names)} that services name are there; their keys are not looked at")


def _some(texts: Iterable[str]) -> str:
    found = list(texts)
    return "; ".join(found[:_SHOWN]) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
