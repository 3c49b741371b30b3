"""Orders to an operator: annotations on custom resources, or on the record of the environment for everything. Git is not needed for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from reconciler.core.identity import record_id
from reconciler.core.inventory import INVENTORY_LABEL, Inventory
from reconciler.core.inventory import decode as decode_inventory
from reconciler.core.journal import Journal, decode, journal_id
from reconciler.core.orders import moment
from reconciler.core.projecting import id_of
from reconciler.core.refusals import fix
from reconciler.model.fleet import Fleet
from reconciler.model.graph import Graph
from reconciler.model.manifests import ENVIRONMENT_LABEL, ObjectId
from reconciler.model.quantities import parse_duration
from reconciler.model.refs import Ref
from reconciler.ports import Cluster, Refused
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.subjects import named
from reconciler.shell.targets import connected
from reconciler.shell.workspace import Workspace

T = TypeVar("T")

_KINDS = ("Service", "Task", "Tenant", "Image", "ToolCatalog", "PolicyPack")


@dataclass(frozen=True)
class Addressee:
    """Whom an order is for, and where it is written."""

    name: str
    id: ObjectId


def addressee(graph: Graph, name: str | None, *, everything: bool) -> Addressee:
    """What a command line names: `web`, `platform/web`, a tenant, `Task/platform/sweep`, or everything."""
    if everything == bool(name):
        raise Refusal("say what is meant: a name, or --all", "fleet pause service-registry, or fleet pause --all")
    if everything:
        return Addressee("everything", record_id(graph))
    ref = _ref(graph.fleet, name or "")
    return Addressee(str(ref), id_of(ref, graph.environment))


def _ref(fleet: Fleet, name: str) -> Ref:
    kind, slash, rest = name.partition("/")
    if slash and kind in _KINDS:
        return named(fleet, rest, kind)
    known = {*fleet.resources, *fleet.broken}
    found = sorted(ref for ref in known if name in (ref.name, ref.short) and ref.kind in ("Service", "Task", "Tenant"))
    if len(found) > 1:
        raise Refusal(f"{name!r} may mean more than one thing", "write " + " or ".join(map(str, found)))
    return found[0] if found else named(fleet, name)


def until_of(text: str | None, now: datetime) -> str:
    """The moment that `2h`, `2026-12-01` or `2026-12-01T06:00+01:00` means, in RFC 3339; `true` without one."""
    if text is None:
        return "true"
    try:
        found = now + timedelta(milliseconds=parse_duration(text))
    except ValueError:
        said = moment(text)
        if said is None:
            raise Refusal(f"{text!r} is neither a duration nor a moment", "write 2h, 2026-12-01 or 2026-12-01T06:00:00+01:00") from None
        found = said
    if found <= now:
        raise Refusal(f"{found.isoformat(timespec='minutes')} is past", "name a moment to come")
    return found.astimezone(UTC).isoformat(timespec="seconds")


def give(workspace: Workspace, graph: Graph, to: Addressee, annotations: Mapping[str, str | None]) -> Journal:
    """Writes an order, and returns what the operator last told. Refuses where there is nothing to write it on."""

    async def order(cluster: Cluster) -> Journal:
        answer = await cluster.annotate(to.id, annotations)
        if isinstance(answer, Refused) and answer.status == 404:
            raise Refusal(
                f"there is no {to.id}, so nobody would read the order",
                "an operator writes custom resources: fleet operator install; `--all` needs none, only a first apply",
            )
        if isinstance(answer, Refused):
            raise Refusal(f"the order cannot be written: {answer.message}", fix(answer))
        return decode(await cluster.read(journal_id(graph)))

    return _with(workspace, graph, order)


def journal(workspace: Workspace, graph: Graph) -> Journal:
    """What the operator of an environment last told; empty where none ever led."""

    async def read(cluster: Cluster) -> Journal:
        return decode(await cluster.read(journal_id(graph)))

    return _with(workspace, graph, read)


def inventory(workspace: Workspace, graph: Graph) -> Inventory:
    """What was applied, and what is known of builds."""

    async def read(cluster: Cluster) -> Inventory:
        labels = {ENVIRONMENT_LABEL: graph.environment.id, INVENTORY_LABEL: "true"}
        return decode_inventory(await cluster.list(labels, [("", "ConfigMap")]))

    return _with(workspace, graph, read)


def _with(workspace: Workspace, graph: Graph, work: Callable[[Cluster], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with connected(graph.environment, workspace.root) as cluster:
            return await work(cluster)

    return run(lambda stop: unless_stopped(stop, inside()))
