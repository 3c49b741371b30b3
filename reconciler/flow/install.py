"""Installing the operator: look at what is there, preview everything, then write it in order and wait until definitions are served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from reconciler.core.changes import changes
from reconciler.core.ownership import is_ours, managers_of
from reconciler.flow.fan import Stop, fan
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.model.plan import Change
from reconciler.model.value import dataclass
from reconciler.ports import Accepted, Clock, Cluster, Progress, Refused

_ESTABLISHED_SECONDS = 30
_DEFINITION = "CustomResourceDefinition"


class Action(StrEnum):
    """What an installation does with one object."""

    CREATE = "create"
    UPDATE = "update"
    NOTHING = "nothing"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Item:
    """One object of an installation."""

    id: ObjectId
    body: Body
    action: Action
    changes: tuple[Change, ...] = ()
    reason: str = ""
    """Why it is blocked, or whom it is taken from."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of an installation. `failed` says what did not stand at the end, and why."""

    written: int
    failed: Mapping[ObjectId, str]
    stopped: bool = False


async def survey(cluster: Cluster, bodies: Iterable[Body], *, adopt: bool) -> tuple[Item, ...]:
    """What an installation of these objects would do. Reads and dry-runs only; may raise Unreachable."""
    wanted = tuple(bodies)
    first = [body for body in wanted if body["kind"] == "Namespace"]
    spaces = await fan(first, lambda body: _look(cluster, body, adopt, frozenset()))
    coming = frozenset(item.id.name for item in spaces if item.action is Action.CREATE)
    rest = await fan((body for body in wanted if body["kind"] != "Namespace"), lambda body: _look(cluster, body, adopt, coming))
    found = {item.id: item for item in (*spaces, *rest)}
    return tuple(found[identify(body)] for body in wanted)


async def _look(cluster: Cluster, body: Body, adopt: bool, coming: frozenset[str]) -> Item:
    id = identify(body)
    live = await cluster.read(id)
    if live is not None and not is_ours(live.body) and not adopt:
        return Item(
            id, body, Action.BLOCKED, reason=f"it is there, and not ours ({', '.join(managers_of(live.body))}); --adopt takes it over"
        )
    if id.namespace in coming:
        return Item(id, body, Action.CREATE)
    match await cluster.apply(body, dry_run=True, force=live is not None):
        case Refused() as refused:
            return Item(id, body, Action.BLOCKED, reason=f"{refused.status} {refused.reason}: {refused.message}")
        case Accepted() as accepted:
            return _compared(Item(id, body, Action.CREATE), live, accepted.body)


def _compared(item: Item, live: Observed | None, previewed: Body) -> Item:
    if live is None:
        return item
    taken = "" if is_ours(live.body) else f"taken over from {', '.join(managers_of(live.body))}"
    different = changes(live.body, previewed)
    action = Action.UPDATE if different or taken else Action.NOTHING
    return replace(item, action=action, changes=different, reason=taken)


async def install(cluster: Cluster, clock: Clock, items: Iterable[Item], progress: Progress, stop: Stop) -> Installed:
    """Writes what a survey found to write, one after the other: each may need those before it. Ends at the first that is refused."""
    todo = [item for item in items if item.action in (Action.CREATE, Action.UPDATE)]
    written: list[Item] = []
    progress.phase("install", len(todo))
    for item in todo:
        if stop.is_set():
            return Installed(len(written), {}, stopped=True)
        answer = await cluster.apply(item.body, dry_run=False, force=item.action is Action.UPDATE)
        if isinstance(answer, Refused):
            return Installed(len(written), {item.id: f"{answer.status} {answer.reason}: {answer.message}"})
        written.append(item)
        progress.step(item.id, f"{item.action}d")
    definitions = [item.id for item in written if item.id.kind == _DEFINITION]
    failed = await fan(definitions, lambda id: _established(cluster, clock, id))
    return Installed(len(written), {id: why for id, why in zip(definitions, failed, strict=True) if why})


async def _established(cluster: Cluster, clock: Clock, id: ObjectId) -> str:
    """Waits until a definition is served; why it is not, or nothing."""
    until = clock.now() + timedelta(seconds=_ESTABLISHED_SECONDS)
    while True:
        live = await cluster.read(id)
        said = {one["type"]: one for one in (live.body.get("status", {}) if live else {}).get("conditions") or ()}
        if said.get("Established", {}).get("status") == "True":
            return ""
        if said.get("NamesAccepted", {}).get("status") == "False":
            return str(said["NamesAccepted"].get("message", "its names are taken"))
        if clock.now() >= until:
            return f"it is not served after {_ESTABLISHED_SECONDS} s"
        await clock.sleep(0.1)
