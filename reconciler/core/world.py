"""The world as a plan sees it: live objects that are ours, the inventory, and what the person who asked allows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from functools import lru_cache

from reconciler.core.inventory import Inventory, decode, is_inventory
from reconciler.core.ownership import fields_of, is_ours
from reconciler.model.manifests import MANAGER, Body, Manifest, ObjectId, Observed
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class World:
    """`objects` carry our label and our managedFields entry; `forged` carry only the label and are never touched."""

    objects: Mapping[ObjectId, Observed] = field(default_factory=dict)
    inventory: Inventory = field(default_factory=Inventory)
    forged: frozenset[ObjectId] = frozenset()
    is_recorded: bool = False
    """Whether the target remembers the id of this environment."""


def behold(found: Iterable[Observed]) -> World:
    """The world of everything that a LIST by our environment's label found."""
    objects: dict[ObjectId, Observed] = {}
    shards: list[Observed] = []
    forged: set[ObjectId] = set()
    for observed in found:
        if is_inventory(observed):
            shards.append(observed)
        elif is_ours(observed.body):
            objects[observed.id] = observed
        else:
            forged.add(observed.id)
    return World(objects, decode(shards), frozenset(forged))


_OUTLINE = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations", "deletionTimestamp")


class Outlines:
    """Live objects that are as their manifests say, without what nobody has to look at again: who and whose they are, and where they come from.

    What one has in common with its manifest is the manifest's own, and what many have in common is there once: of thousands that is a lot of memory.
    """

    def __init__(self) -> None:
        self._entries: dict[int, list[Body]] = {}
        """What says that an object is ours, by the identity of its field set, which objects of one list share."""

    def __call__(self, observed: Observed, manifest: Manifest) -> Observed:
        """The outline of one."""
        body, metadata, said = observed.body, observed.body["metadata"], manifest.body["metadata"]
        kept = {name: metadata[name] for name in _OUTLINE if name in metadata} | {"name": manifest.id.name}
        if kept.get("labels") == said.get("labels"):
            kept["labels"] = said.get("labels")
        if "annotations" in kept:
            kept["annotations"] = {name: _same(value, said.get("annotations", {}).get(name)) for name, value in kept["annotations"].items()}
        slim = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {**kept, "managedFields": self._owned(body)}}
        return replace(observed, id=manifest.id, body=slim)

    def _owned(self, body: Body) -> list[Body]:
        fields = fields_of(body)
        if fields is None:
            return []
        return self._entries.setdefault(id(fields), [{"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}])


def _same(value: str, known: str | None) -> str:
    return known if known == value and known is not None else _one(value)


@lru_cache(maxsize=64)
def _one(value: str) -> str:
    """The one of all that are equal: a commit is named by every object that it wrote."""
    return value


def without_leaving(world: World, desired: Collection[ObjectId]) -> World:
    """The world without what is being deleted already and nobody wants: a finalizer may keep it for a while, and deleting it again helps nobody."""
    leaving = {id for id, one in world.objects.items() if "deletionTimestamp" in one.body["metadata"] and id not in desired}
    return replace(world, objects={id: one for id, one in world.objects.items() if id not in leaving}) if leaving else world


@dataclass(frozen=True, slots=True)
class Options:
    """What this plan may do beyond the ordinary."""

    adopt: bool = False
    """Take over objects that others made."""
    preflight: bool = True
    """Ask the server by dry-run about new objects, too. Without, what it refuses of them is found only when they are written."""
    prune: bool = True
    prune_unplaced: bool = False
    allow_delete: int | None = None
    """How many objects may be deleted past the guards; must be the plan's own number."""
    only: frozenset[str] = frozenset()
    """Owners (`Service/platform/web`) to keep to; empty means all."""


DEFAULT = Options()
"""The ordinary plan."""
