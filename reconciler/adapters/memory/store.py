"""The objects of a target in memory and what may happen to them. Survives the adapters that write to it, as a cluster does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from reconciler.adapters.memory import admission, ownership
from reconciler.adapters.memory.bodies import copied, stored_form
from reconciler.adapters.memory.ownership import Owned, Owner
from reconciler.adapters.memory.players import Player, ready
from reconciler.model.manifests import MANAGER, Body, ObjectId, Observed, identify
from reconciler.model.spec import GROUP
from reconciler.ports import Accepted, Answer, Refused

Listener = Callable[[Body | None, Body | None], None]
"""Told of every change: the object before and after, None where there was or is none."""

_GENERATION = {"CronJob", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "StatefulSet"}
_ABSENT = "the provided object is to be updated, and no existing object was found"
_STALE = "the object has been modified; please apply your changes to the latest version and try again"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryStore:
    """Objects by identity. `player` gives what is written its status; `finalises` says whether a deleted namespace ever goes away."""

    def __init__(self, player: Player = ready, *, finalises: bool = True) -> None:
        self.player = player
        self.finalises = finalises
        self.revision = 0
        self.objects: dict[ObjectId, dict[str, Any]] = {}
        self.listeners: list[Listener] = []

    def get(self, id: ObjectId) -> Observed | None:
        """One object, or None."""
        body = self.objects.get(id)
        return None if body is None else observed(body)

    def select(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> Iterator[Observed]:
        """Objects of these kinds with these labels, by identity."""
        wanted = frozenset(kinds)
        for key in sorted(self.objects):
            if key[:2] in wanted and matches(self.objects[key], labels):
                yield observed(self.objects[key])

    def apply(self, body: Body, manager: str = MANAGER, *, dry_run: bool = False, force: bool = False) -> Answer:
        """Server-side apply of the main resource: its status is nobody's to apply."""
        key = identify(body)
        before = self.objects.get(key)
        refused = admission.namespace_refusal(key, self._namespace(key), creating=before is None) or _precondition(key, before, body)
        if refused is not None:
            return refused
        config = {name: value for name, value in body.items() if name != "status"}
        config["metadata"] = {k: v for k, v in body["metadata"].items() if k not in {"uid", "resourceVersion", "managedFields"}}
        owned = ownership.apply(ownership.split(before), config, manager, force=force)
        return owned if isinstance(owned, Refused) else self._commit(key, before, owned, dry_run=dry_run)

    def apply_status(self, body: Body, manager: str = MANAGER) -> Answer:
        """Server-side apply of the status alone, forced."""
        key = identify(body)
        before = self.objects.get(key)
        if before is None:
            return admission.not_found(key)
        config = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {}, "status": body.get("status", {})}
        owned = ownership.apply(ownership.split(before), config, manager, force=True, subresource="status")
        return owned if isinstance(owned, Refused) else self._commit(key, before, owned, dry_run=False)

    def put(self, body: Body, manager: str = MANAGER) -> Answer:
        """Create without `resourceVersion`, replace that version with it."""
        key = identify(body)
        before = self.objects.get(key)
        creating = "resourceVersion" not in body["metadata"]
        if creating and before is not None:
            return admission.exists(key)
        refused = admission.namespace_refusal(key, self._namespace(key), creating=creating)
        if refused is None and not creating:
            refused = admission.not_found(key) if before is None else _precondition(key, before, body)
        return refused or self._write(key, before, body, Owner(manager, "Update", body["apiVersion"]))

    def edit(self, id: ObjectId, manager: str, mutate: Callable[[dict[str, Any]], None], subresource: str = "") -> Answer:
        """What a person or a controller does: change a copy in place, as `kubectl edit` by this field manager."""
        before = self.objects.get(id)
        if before is None:
            return admission.not_found(id)
        after = copied(before)
        mutate(after)
        return self._write(id, before, after, Owner(manager, "Update", before["apiVersion"], subresource))

    def hand_over(self, wanted: Observed, managers: Iterable[str], to: str = MANAGER, subresource: str = "") -> Answer:
        """Give the fields of these managers to another, as if it had applied them."""
        before = self.objects.get(wanted.id)
        refused = admission.not_found(wanted.id) if before is None else _same(wanted, before)
        return refused or self._commit(
            wanted.id, before, ownership.hand_over(ownership.split(before), managers, to, subresource), dry_run=False
        )

    def delete(self, wanted: Observed) -> Answer:
        """Delete exactly this version of this object."""
        before = self.objects.get(wanted.id)
        refused = admission.not_found(wanted.id) if before is None else _same(wanted, before)
        if refused is not None or before is None:
            return refused or admission.not_found(wanted.id)
        self.remove(wanted.id)
        return Accepted(self.objects.get(wanted.id, before), created=False)

    def remove(self, id: ObjectId) -> None:
        """Delete whatever version there is. What has finalizers, and a namespace that nothing finalises, stays as terminating."""
        before = self.objects[id]
        namespace = id[:2] == ("", "Namespace")
        if before["metadata"].get("finalizers") or (namespace and not self.finalises):
            if "deletionTimestamp" not in before["metadata"]:
                self._set(id, before, {**before, "metadata": {**before["metadata"], "deletionTimestamp": self._now()}})
            return
        self.revision += 1
        del self.objects[id]
        self._tell(before, None)
        if namespace:
            for inside in [other for other in self.objects if other.namespace == id.name]:
                self.remove(inside)

    def play(self, player: Player) -> None:
        """Let this player act on everything there is, and on what comes."""
        self.player = player
        for key in list(self.objects):
            self._played(key)

    def _namespace(self, id: ObjectId) -> Body | None:
        return self.objects.get(ObjectId("", "Namespace", "", id.namespace))

    def _write(self, id: ObjectId, before: Body | None, body: Body, owner: Owner) -> Answer:
        live, kept = ownership.split(before), ownership.split(body)
        handled = Owned(live.body, kept.owners if before is not None and "managedFields" in body["metadata"] else live.owners)
        metadata = {
            k: v for k, v in kept.body["metadata"].items() if k not in {"uid", "resourceVersion", "generation", "creationTimestamp"}
        }
        fixed = {
            k: v for k, v in live.body.get("metadata", {}).items() if k in {"uid", "resourceVersion", "generation", "creationTimestamp"}
        }
        return self._commit(id, before, ownership.update(handled, {**kept.body, "metadata": {**metadata, **fixed}}, owner), dry_run=False)

    def _commit(self, id: ObjectId, before: Body | None, owned: Owned, *, dry_run: bool) -> Answer:
        after = copied(owned.body) if id.group == GROUP else stored_form(owned.body)
        metadata = after["metadata"]
        if before is None:
            metadata |= {"uid": str(UUID(int=self.revision + 1, version=4)), "creationTimestamp": self._now()}
            if _counts(id):
                metadata["generation"] = 1
            if id[:2] == ("", "Namespace"):
                metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": id.name}
                after["status"] = {"phase": "Active"}
        elif _counts(id) and _specified(before) != _specified(after):
            metadata["generation"] = before["metadata"]["generation"] + 1
        if (refused := admission.invalid(id, before, after)) is not None:
            return refused
        stored = ownership.join(Owned(after, owned.owners), before, self._now())
        if not dry_run and stored != before:
            self._set(id, before, stored)
            self._played(id)
            stored = self.objects.get(id, stored)
        return Accepted(stored, created=before is None)

    def _played(self, id: ObjectId) -> None:
        body = self.objects.get(id)
        status = None if body is None or id.group == GROUP else self.player(body)
        if body is not None and status is not None and status != body.get("status"):
            owner = Owner("kube-controller-manager", "Update", body["apiVersion"], "status")
            played = ownership.update(ownership.split(body), {**ownership.split(body).body, "status": dict(status)}, owner)
            self._set(id, body, ownership.join(played, body, self._now()))

    def _set(self, id: ObjectId, before: Body | None, after: dict[str, Any]) -> None:
        self.revision += 1
        stored = {**after, "metadata": {**after["metadata"], "resourceVersion": str(self.revision)}}
        if "deletionTimestamp" in stored["metadata"] and not stored["metadata"].get("finalizers") and id.kind != "Namespace":
            self.objects.pop(id, None)
            self._tell(before, None)
            return
        self.objects[id] = stored
        self._tell(before, stored)

    def _tell(self, before: Body | None, after: Body | None) -> None:
        for listener in tuple(self.listeners):
            listener(before, after)

    def _now(self) -> str:
        return (_EPOCH + timedelta(seconds=self.revision)).strftime("%Y-%m-%dT%H:%M:%SZ")


def observed(body: Body) -> Observed:
    """A stored body as a LIST would show it."""
    return Observed(identify(body), body["metadata"]["uid"], body["metadata"]["resourceVersion"], body)


def matches(body: Body | None, labels: Mapping[str, str]) -> bool:
    """Whether an object has all of these labels."""
    return body is not None and labels.items() <= body["metadata"].get("labels", {}).items()


def _precondition(id: ObjectId, before: Body | None, body: Body) -> Refused | None:
    wanted = {name: body["metadata"][name] for name in ("uid", "resourceVersion") if name in body["metadata"]}
    if wanted and before is None:
        return admission.conflict(id, _ABSENT)
    return None if before is None or wanted.items() <= before["metadata"].items() else admission.conflict(id, _STALE)


def _same(wanted: Observed, before: Body) -> Refused | None:
    actual = (before["metadata"]["uid"], before["metadata"]["resourceVersion"])
    return None if (wanted.uid, wanted.resource_version) == actual else admission.conflict(wanted.id, _STALE)


def _counts(id: ObjectId) -> bool:
    """Whether objects like this one count their generations."""
    return id.group == GROUP or id.kind in _GENERATION


def _specified(body: Body) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"metadata", "status"}}
