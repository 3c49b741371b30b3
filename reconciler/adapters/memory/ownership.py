"""Who owns which field: server-side apply and plain updates, as Kubernetes' structured-merge-diff decides them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reconciler.adapters.memory.fields import Path, Paths, decode, dotted, encode, leaves, maps, with_parents
from reconciler.adapters.memory.merge import merged, without
from reconciler.model.manifests import Body
from reconciler.model.value import dataclass
from reconciler.ports import Refused


class Owner(NamedTuple):
    """One entry of managedFields."""

    manager: str
    operation: str
    version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """A body without managedFields, and who owns what of it."""

    body: dict[str, Any]
    owners: Mapping[Owner, Paths]


def split(body: Body | None) -> Owned:
    """A stored body as body and owners; of nothing, nothing."""
    if body is None:
        return Owned({}, {})
    metadata = dict(body["metadata"])
    entries = metadata.pop("managedFields", ())
    owners = {_owner(entry): decode(entry["fieldsV1"]) for entry in entries}
    return Owned({**body, "metadata": metadata}, owners)


def join(owned: Owned, before: Body | None, time: str) -> dict[str, Any]:
    """The stored form: entries that did not change keep their time."""
    old = {} if before is None else {_owner(e): e for e in before["metadata"].get("managedFields", ())}
    entries = []
    for owner, paths in owned.owners.items():
        kept = old.get(owner)
        entries.append(kept if kept is not None and decode(kept["fieldsV1"]) == paths else _entry(owner, paths, time))
    metadata = {**owned.body["metadata"], **({"managedFields": entries} if entries else {})}
    return {**owned.body, "metadata": metadata}


def _owner(entry: Mapping[str, Any]) -> Owner:
    return Owner(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))


def _entry(owner: Owner, paths: Paths, time: str) -> dict[str, Any]:
    said = {"manager": owner.manager, "operation": owner.operation, "apiVersion": owner.version, "time": time}
    entry = {**said, "fieldsType": "FieldsV1", "fieldsV1": encode(paths)}
    return entry | ({"subresource": owner.subresource} if owner.subresource else {})


def apply(live: Owned, config: Body, manager: str, *, force: bool, subresource: str = "") -> Owned | Refused:
    """Server-side apply: what is applied becomes the manager's, what it owned alone and applies no more goes, the rest stays."""
    ours = next((o for o in live.owners if o[:2] == (manager, "Apply") and o.subresource == subresource), Owner(manager, "Apply", ""))
    applied = Owner(manager, "Apply", config["apiVersion"], subresource)
    owners = {owner: paths for owner, paths in live.owners.items() if owner != ours}
    fields = frozenset(leaves(config))
    body = merged(live.body, config)
    gone = with_parents(live.owners.get(ours, ())) - with_parents(path for paths in (*owners.values(), fields) for path in paths)
    if gone:
        body = without(body, encode(gone))
    change = Changed.between(live.body, body)
    conflicts = {owner: paths & change.written for owner, paths in owners.items() if paths & change.written}
    if conflicts and not force:
        return _conflict(conflicts)
    return Owned(body, _rid({applied: fields, **{owner: paths - change.all for owner, paths in owners.items()}}))


def update(live: Owned, body: dict[str, Any], owner: Owner) -> Owned:
    """A plain write (PUT, kubectl edit, a controller): what changed becomes the writer's."""
    change = Changed.between(live.body, body)
    owners = {other: paths - change.all for other, paths in live.owners.items() if other != owner}
    mine = (live.owners.get(owner, frozenset()) - change.removed) | change.written
    return Owned(body, _rid({**owners, owner: mine}))


def hand_over(live: Owned, managers: Iterable[str], to: str, subresource: str = "") -> Owned:
    """The fields of these managers become those of `to`, as if it had applied them."""
    names = frozenset(managers)
    here = [owner for owner in live.owners if owner.subresource == subresource]
    ours = next((o for o in here if o[:2] == (to, "Apply")), Owner(to, "Apply", str(live.body["apiVersion"]), subresource))
    given = [owner for owner in here if owner.manager in names and owner != ours]
    paths = frozenset().union(live.owners.get(ours, frozenset()), *(live.owners[owner] for owner in given))
    return Owned(live.body, _rid({ours: paths, **{o: p for o, p in live.owners.items() if o not in given and o != ours}}))


@dataclass(frozen=True, slots=True)
class Changed:
    """Paths that differ between two bodies."""

    written: Paths
    """Added or modified."""
    removed: Paths

    @property
    def all(self) -> Paths:
        """Every path that differs."""
        return self.written | self.removed

    @classmethod
    def between(cls, before: Body, after: Body) -> Changed:
        """What differs between two bodies."""
        old, new = leaves(before), leaves(after)
        written = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
        removed = frozenset(path for path in old if path not in new)
        return cls(written | (maps(new) - maps(old)), removed | (maps(old) - maps(new) - new.keys()))


def _rid(owners: dict[Owner, Paths]) -> dict[Owner, Paths]:
    return {owner: paths for owner, paths in owners.items() if paths}


def _conflict(conflicts: Mapping[Owner, frozenset[Path]]) -> Refused:
    fields = tuple(sorted({dotted(path) for paths in conflicts.values() for path in paths}))
    told = "; ".join(
        f'conflict with "{owner.manager}" using {owner.version}: ' + ", ".join(sorted(dotted(path) for path in paths))
        for owner, paths in sorted(conflicts.items())
    )
    message = f"Apply failed with {len(fields)} conflict{'s' * (len(fields) != 1)}: {told}"
    return Refused(409, "Conflict", message, fields, tuple(sorted({owner.manager for owner in conflicts})))
