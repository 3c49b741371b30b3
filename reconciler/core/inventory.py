"""The inventory: what an environment has in its target, written before the first write and shrunk after the last, so a crash leaves no orphan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from reconciler.core.tracks import decode_tracks, encode_tracks
from reconciler.model.fleet import SYSTEM_NAMESPACE, Guards
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGED_BY, MANAGER, REVISION_ANNOTATION, TENANT_LABEL, Body, ObjectId, Observed
from reconciler.model.refs import Ref
from reconciler.model.track import Track
from reconciler.model.value import dataclass

INVENTORY_LABEL = "fleetwright.dev/inventory"
FENCE_ANNOTATION = "fleetwright.dev/fence"
GUARDS_ANNOTATION = "fleetwright.dev/guards"
SHARD = 5000
"""Entries in one ConfigMap: at 110 bytes each well under the 1 MiB that etcd takes."""
TRACKS = 500
"""Tracks in one ConfigMap: at 1,000 bytes each at the most, beside the entries."""
_TRACKS = "tracks"
"""Key of the tracks. Kinds begin with a capital letter, so no kind has it."""

_AWAITED, _UNJUDGED = "!", "?"
NONE: Mapping[Ref, Track] = MappingProxyType({})


class Entry(NamedTuple):
    """One object: the spec it came from, and its uid once it is known."""

    path: str
    uid: str
    tenant: str
    awaited: bool = False
    """A run changed it and has not seen it healthy yet: the next run waits for it, too."""
    unjudged: bool = False
    """A run changed it, and a later wave waits for a person's word on that (`sync.qa: approval`)."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All entries of one environment. `shards` are the ConfigMaps as they stand, by name."""

    entries: Mapping[ObjectId, Entry] = field(default_factory=dict)
    fence: int = 0
    guards: Guards | None = None
    revision: str = ""
    """The last revision whose apply wrote here; `+edited` where uncommitted edits were applied."""
    tracks: Mapping[Ref, Track] = field(default_factory=dict)
    """What became of builds, of services that ask for it with `onFailure`."""
    shards: Mapping[str, Observed] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether one was ever written: without it nothing is pruned unasked."""
        return bool(self.shards)


def decode(shards: Iterable[Observed]) -> Inventory:
    """The inventory that these ConfigMaps hold."""
    entries: dict[ObjectId, Entry] = {}
    tracks: dict[Ref, Track] = {}
    found = {shard.id.name: shard for shard in shards}
    fence, guards, revision = 0, None, ""
    for shard in sorted(found.values(), key=_fence):  # the one that the last run wrote says the revision; a run writes only what it changes
        annotations = shard.body["metadata"].get("annotations", {})
        fence = _fence(shard)
        if GUARDS_ANNOTATION in annotations:
            guards = _guards(annotations[GUARDS_ANNOTATION])
        revision = annotations.get(REVISION_ANNOTATION, revision)
        tenant = shard.body["metadata"]["labels"].get(TENANT_LABEL, "")
        for kind, lines in shard.body.get("data", {}).items():
            if kind == _TRACKS:
                tracks.update(decode_tracks(lines, tenant))
            else:
                entries.update(_entries(kind, lines, tenant))
    return Inventory(entries, fence, guards, revision, tracks, found)


def _fence(shard: Observed) -> int:
    number = shard.body["metadata"].get("annotations", {}).get(FENCE_ANNOTATION, "")
    return int(number) if number.isdecimal() else 0


def _guards(text: str) -> Guards:
    """The guards in an annotation; where somebody made that unreadable, those that let nothing go unasked."""
    try:
        return Guards.model_validate_json(text)
    except ValueError:
        return Guards(percent=0, services=0)


def _entries(key: str, lines: str, tenant: str) -> Iterable[tuple[ObjectId, Entry]]:
    kind, _, group = key.partition(".")
    for line in lines.splitlines():
        place, _, rest = line.partition(" ")
        mark, _, path = rest.partition(" ")
        uid = mark.rstrip(_AWAITED + _UNJUDGED)
        namespace, _, name = place.rpartition("/")
        yield ObjectId(group, kind, namespace, name), Entry(path, "" if uid == "-" else uid, tenant, _AWAITED in mark, _UNJUDGED in mark)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every shard of one run carries."""

    environment_id: str
    fence: int
    guards: Guards
    revision: str


def encode(entries: Mapping[ObjectId, Entry], stamp: Stamp, tracks: Mapping[Ref, Track] = NONE) -> dict[str, dict[str, Any]]:
    """The ConfigMaps that hold these entries, by name: one a tenant (more only beyond SHARD entries), one line an object or a track."""
    by_tenant: dict[str, list[tuple[ObjectId, Entry]]] = defaultdict(list)
    for pair in sorted(entries.items()):
        by_tenant[pair[1].tenant].append(pair)
    of: dict[str, list[tuple[Ref, Track]]] = defaultdict(list)
    for ref, track in sorted((one for one in tracks.items() if one[1] != Track()), key=lambda one: one[0]):
        of[ref.tenant].append((ref, track))
    shards = {}
    for tenant in dict.fromkeys((*by_tenant, *of)):
        pairs, known = by_tenant[tenant], of[tenant]
        for number in range(max(-(-len(pairs) // SHARD), -(-len(known) // TRACKS))):
            some = known[number * TRACKS : (number + 1) * TRACKS]
            body = _shard(pairs[number * SHARD : (number + 1) * SHARD], tenant, number, stamp)
            body["data"] |= {_TRACKS: encode_tracks(some)} if some else {}
            shards[body["metadata"]["name"]] = body
    return shards


def _shard(pairs: list[tuple[ObjectId, Entry]], tenant: str, number: int, stamp: Stamp) -> dict[str, Any]:
    data: dict[str, list[str]] = defaultdict(list)
    for identity, entry in pairs:
        place = f"{identity.namespace}/{identity.name}" if identity.namespace else identity.name
        key = f"{identity.kind}.{identity.group}" if identity.group else identity.kind
        data[key].append(f"{place} {entry.uid or '-'}{_AWAITED * entry.awaited}{_UNJUDGED * entry.unjudged} {entry.path}")
    name = f"inventory-{stamp.environment_id}" + (f"-{tenant}" if tenant else "") + (f"-{number}" if number else "")
    labels = {MANAGED_BY: MANAGER, ENVIRONMENT_LABEL: stamp.environment_id, INVENTORY_LABEL: "true"}
    annotations = {
        FENCE_ANNOTATION: str(stamp.fence),
        GUARDS_ANNOTATION: orjson.dumps(stamp.guards.model_dump()).decode(),
        REVISION_ANNOTATION: stamp.revision,
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {**labels, TENANT_LABEL: tenant} if tenant else labels,
            "annotations": annotations,
        },
        "data": {kind: "\n".join(lines) for kind, lines in data.items()},
    }


def same_entries(body: Body, standing: Body) -> bool:
    """Whether a shard already says this, whatever its fence."""
    annotations = standing["metadata"].get("annotations", {})
    same_guards: bool = body["metadata"]["annotations"][GUARDS_ANNOTATION] == annotations.get(GUARDS_ANNOTATION)
    return same_guards and bool(body["data"] == standing.get("data"))


def is_inventory(observed: Observed) -> bool:
    """Whether an object is one of our own inventories."""
    return observed.id.namespace == SYSTEM_NAMESPACE and INVENTORY_LABEL in observed.body["metadata"].get("labels", {})
