"""Troubles: everything that keeps a resource from being what its spec says, and what it is where nothing does. The first weighs most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.core.facts import Facts
from reconciler.core.health import Failed, Healthy, Progressing
from reconciler.core.notes import held_at, told
from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph, Held, Missing, Unplaced, Unverified
from reconciler.model.projection import Reason
from reconciler.model.refs import Ref

LENGTH = 1024
"""Characters of a message; what is longer is cut."""
_SHOWN = 3


class Trouble(NamedTuple):
    """A reason with its sentence."""

    reason: Reason
    message: str = ""


def troubles(ref: Ref, graph: Graph, facts: Facts) -> tuple[Trouble, ...]:
    """All that is to be said, at least one; the first says how the resource stands."""
    bad = (*_of_source(ref, graph, facts), *_of_pass(facts), *_of_choices(ref, graph, facts), *_of_health(facts))
    return (*bad, *_good(ref, graph))


def cut(message: str) -> str:
    """A message that fits."""
    return message if len(message) <= LENGTH else message[: LENGTH - 1] + "…"


def _of_source(ref: Ref, graph: Graph, facts: Facts) -> Iterator[Trouble]:
    if ref in graph.fleet.broken or ref in graph.kept:
        own = [finding for finding in _findings(ref, graph, facts) if finding.is_error]
        root = ref if own or ref in graph.fleet.broken else _root(ref, graph)
        if root == ref:
            asked = [facts.approval.message] if facts.approval is not None else []
            yield Trouble(Reason.BROKEN_SPEC, _listed([*asked, *map(_located, own)] or ["its file is not as it should be"]))
        else:
            yield Trouble(Reason.DEPENDS_ON_BROKEN, f"it depends on {root}, which is broken")
    elif ref not in graph.fleet.resources and facts.approval is None:
        yield Trouble(Reason.REMOVED, "it is no longer in git")


def _of_pass(facts: Facts) -> Iterator[Trouble]:
    if facts.paused is not None:
        yield Trouble(Reason.PAUSED, f"paused until {facts.paused}" if facts.paused else "paused until somebody resumes it")
    if facts.conflict:
        yield Trouble(Reason.IN_CONFLICT, f"{' and '.join(facts.conflict)} kept writing the same fields")
    if facts.failures:
        yield Trouble(Reason.REFUSED, _listed(facts.failures))
    if facts.approval is not None:
        yield Trouble(Reason.AWAITING_APPROVAL, f"{facts.approval.message} (to approve: {facts.approval.hash})")


def _of_choices(ref: Ref, graph: Graph, facts: Facts) -> Iterator[Trouble]:
    placement, choice = graph.placements.get(ref), graph.choices.get(ref)
    if isinstance(placement, Unplaced):
        yield Trouble(Reason.UNPLACED, placement.reason)
    if isinstance(choice, Missing):
        about = next((finding for finding in _findings(ref, graph, facts) if finding.message == choice.reason), None)
        yield Trouble(Reason.IMAGE_PENDING, _located(about) if about else choice.reason)
    if ref.kind == "Image" and ref in graph.resources and graph.lock.builds(ref.name) is None and graph.environment.unlocked == "block":
        yield Trouble(Reason.IMAGE_PENDING, f"no build of it is in {graph.environment.lock}")
    if facts.awaiting:
        yield Trouble(Reason.AWAITING_WAVE, facts.awaiting)


def _of_health(facts: Facts) -> Iterator[Trouble]:
    failed, moving = [], []
    for id, health in facts.health.items():
        match health:
            case Failed(reason=reason):
                failed.append(f"{id.kind} {id.name}: {reason}")
            case Progressing(reason=reason):
                moving.append(f"{id.kind} {id.name}: {reason}")
            case Healthy():
                pass
    if failed:
        yield Trouble(Reason.UNHEALTHY, _listed(failed))
    if moving:
        yield Trouble(Reason.ROLLING_OUT, _listed(moving))


def _good(ref: Ref, graph: Graph) -> Iterator[Trouble]:
    match graph.choices.get(ref):
        case Held() as held:
            yield Trouble(Reason.PUT_BACK if held.put_back else Reason.HELD, held_at(held))
        case Unverified(tag=tag, hold=hold) if hold is not None:
            yield Trouble(Reason.HELD, f"held at {tag}, unverified{told(hold)}")
        case Unverified(tag=tag):
            yield Trouble(Reason.UNVERIFIED, f"runs the tag {tag}: no digest and no verdict is recorded")
        case _:
            pass
    if _is_suspended(ref, graph):
        yield Trouble(Reason.SUSPENDED, "the tenant is suspended: scaled to zero, nothing deleted")
    if ref.kind == "Image" and graph.lock.builds(ref.name) is None:
        yield Trouble(Reason.UNVERIFIED, f"no build of it is in {graph.environment.lock}")
    yield Trouble(Reason.HEALTHY)


def _is_suspended(ref: Ref, graph: Graph) -> bool:
    tenant = graph.resources.get(Ref("Tenant", ref.tenant or ref.name)) if ref.tenant or ref.kind == "Tenant" else None
    return tenant is not None and isinstance(tenant.spec, TenantSpec) and tenant.spec.state == "suspended"


def _findings(ref: Ref, graph: Graph, facts: Facts) -> Iterable[Finding]:
    if facts.findings is not None:
        return facts.findings
    return (finding for finding in (*graph.findings, *graph.fleet.findings) if finding.subject == ref)


def _located(finding: Finding) -> str:
    mend = f" ({finding.fix})" if finding.fix else ""
    return f"{finding.place}: {finding.severity}[{finding.code}] {finding.message}{mend}"


def _listed(sentences: Iterable[str]) -> str:
    """The first few, each once."""
    every = tuple(dict.fromkeys(sentences))
    more = f"; and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return "; ".join(every[:_SHOWN]) + more


def _root(ref: Ref, graph: Graph) -> Ref:
    """What is broken itself among all that `ref` needs, however far; the nearest that is known where nothing is."""
    seen, queue, nearest = {ref}, [ref], ref
    for here in queue:
        for below in sorted({*graph.links.get(here, ()), *([Ref("Tenant", here.tenant)] if here.tenant else [])} - seen):
            if below in graph.fleet.broken:
                return below
            if below in graph.kept:
                nearest = below
                seen.add(below)
                queue.append(below)
    return nearest
