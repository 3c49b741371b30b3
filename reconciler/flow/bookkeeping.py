"""The inventory in its target: widened before the first write, shrunk after the last, always by compare and set under the fence."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.conclude import Ran, concluded
from reconciler.core.health import waits
from reconciler.core.identity import record
from reconciler.core.inventory import Entry, Inventory, Stamp, encode, same_entries
from reconciler.core.qa import written as written_in_waves
from reconciler.core.refusals import fix
from reconciler.core.render import owner_of
from reconciler.flow.account import Account
from reconciler.flow.fan import fan
from reconciler.flow.planning import Planned
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import SOURCE_ANNOTATION, Body, Manifest, ObjectId, Observed
from reconciler.model.plan import Create, Update
from reconciler.ports import Accepted, Cluster, Refused, Unreachable


class FenceLost(Exception):
    """A later writer has taken over; nothing more may be written."""


class Books:
    """The inventory of one run: what stands in the target, and how it is written."""

    def __init__(self, cluster: Cluster, planned: Planned, fence: int, revision: str, *, waits: bool) -> None:
        self._cluster = cluster
        self._planned = planned
        environment = planned.graph.environment
        self._stamp = Stamp(environment.id, fence, environment.sync.guards, revision)
        self._waits = waits
        self._tracks = planned.tracks
        self._standing: dict[str, Observed] = dict(planned.world.inventory.shards)

    async def install(self) -> None:
        """The id of the environment, once and for all."""
        if self._planned.world.is_recorded:
            return
        answer = await self._cluster.put(record(self._planned.graph))
        if isinstance(answer, Refused) and answer.status != 409:
            raise Unreachable(f"the id of the environment cannot be written down: {answer.message}", fix(answer))

    async def widen(self) -> None:
        """Old and new together: whatever is written from now on is known, wherever the run dies."""
        world = self._planned.world
        entries = {**_live(self._planned), **_declared(self._planned.desired, world.objects), **world.inventory.entries}
        written = {step.manifest.id: step.manifest for step in (*self._planned.plan.of(Create), *self._planned.plan.of(Update))}
        known = world.objects.keys() | written.keys() | world.inventory.entries.keys()
        awaited = {id for id, manifest in written.items() if self._waits and waits(manifest.body)}
        judged = written_in_waves(self._planned.plan, self._planned.graph) if self._waits else frozenset[ObjectId]()
        await self._write(
            {
                id: entry._replace(awaited=entry.awaited or id in awaited, unjudged=entry.unjudged or id in judged)
                for id, entry in entries.items()
                if id in known
            }
        )

    async def shrink(self, account: Account, awaited: frozenset[ObjectId]) -> None:
        """What stands now: what was live or written and is not gone. `awaited` has not become healthy yet."""
        uids, gone, planned = account.uids, account.gone, self._planned
        self._tracks = concluded(planned.desired, planned.world, self._tracks, planned.falling, Ran(account.health, account.since))
        world = self._planned.world
        entries = {**_live(self._planned), **_declared(self._planned.desired, world.objects)}
        standing = (world.objects.keys() | uids.keys()) - gone
        await self._write(
            {
                id: entry._replace(uid=uids.get(id, entry.uid), awaited=id in awaited, unjudged=id in account.unjudged)
                for id, entry in entries.items()
                if id in standing
            }
        )

    async def _write(self, entries: Mapping[ObjectId, Entry]) -> None:
        shards = encode(entries, self._stamp, self._tracks)
        changed = [name for name, body in shards.items() if not self._says(name, body)]
        await fan(changed, lambda name: self._put(name, shards[name]))
        await fan(self._standing.keys() - shards.keys(), lambda name: self._cluster.delete(self._standing.pop(name)))

    def _says(self, name: str, body: Body) -> bool:
        standing = self._standing.get(name)
        return standing is not None and same_entries(body, standing.body)

    async def _put(self, name: str, body: Body) -> None:
        standing = self._standing.get(name)
        if standing is not None:
            metadata = {**body["metadata"], "uid": standing.uid, "resourceVersion": standing.resource_version}
            body = {**body, "metadata": metadata}
        answer = await self._cluster.put(body)
        match answer:
            case Accepted(body=written):
                meta = written["metadata"]
                self._standing[name] = Observed(
                    ObjectId("", "ConfigMap", SYSTEM_NAMESPACE, name), meta["uid"], meta["resourceVersion"], written
                )
            case Refused(status=409):
                raise FenceLost("another writer has changed the inventory")
            case Refused(message=message) as answer:
                raise Unreachable(f"the inventory cannot be written: {message}", fix(answer))


def is_settled(planned: Planned, unjudged: frozenset[ObjectId] = frozenset()) -> bool:
    """Whether record and inventory already say what a finished run would leave, but for what waits for a person's word."""
    world, environment = planned.world, planned.graph.environment
    if not world.is_recorded:
        return False
    entries = {**_live(planned), **_declared(planned.desired, world.objects)}
    known = {id: entry._replace(unjudged=id in unjudged) for id, entry in entries.items() if id in world.objects}
    shards = encode(known, Stamp(environment.id, 0, environment.sync.guards, ""), planned.tracks)
    standing: Inventory = world.inventory
    return shards.keys() == standing.shards.keys() and all(same_entries(body, standing.shards[name].body) for name, body in shards.items())


def _declared(desired: tuple[Manifest, ...], live: Mapping[ObjectId, Observed]) -> dict[ObjectId, Entry]:
    return {
        manifest.id: Entry(
            manifest.body["metadata"]["annotations"][SOURCE_ANNOTATION],
            live[manifest.id].uid if manifest.id in live else "",
            manifest.owner.tenant or (manifest.owner.name if manifest.owner.kind == "Tenant" else ""),
        )
        for manifest in desired
    }


def _live(planned: Planned) -> dict[ObjectId, Entry]:
    """Everything live of ours, with what the inventory or the object itself says of where it came from."""
    found = {}
    for id, observed in planned.world.objects.items():
        known = planned.world.inventory.entries.get(id)
        metadata = observed.body["metadata"]
        path = known.path if known else metadata.get("annotations", {}).get(SOURCE_ANNOTATION, "")
        owner = owner_of(metadata.get("labels", {}))
        tenant = known.tenant if known else owner.tenant or owner.name
        found[id] = Entry(path, observed.uid, tenant)
    return found
