"""The port `Cluster` over any conformant Kubernetes API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from reconciler.adapters.cluster import failures
from reconciler.adapters.cluster.addresses import collection_path, known, object_path, query
from reconciler.adapters.cluster.kubeconfig import Access, access
from reconciler.adapters.cluster.ownership import handed_over, same_state, stands
from reconciler.adapters.cluster.reading import decoded, list_kinds, observed
from reconciler.adapters.cluster.speaking import Acting, Request, Speaker
from reconciler.adapters.cluster.transport import Pace, Reply, Transport
from reconciler.adapters.cluster.watching import watch
from reconciler.core.ownership import fields_of
from reconciler.core.replacements import replacements
from reconciler.model.manifests import MANAGER, ORDERS, Body, ObjectId, Observed, identify
from reconciler.ports import Accepted, Answer, Event, Glance, OnRequest, Unreachable, whole

_APPLY = "application/apply-patch+yaml"
_UNREAD = "Ignore"
"""Server-side apply refuses fields that are unknown whatever `fieldValidation` says. What its other values add is parsing the body once more as YAML,
for names that occur twice, which the JSON of a mapping has none of: an eighth of the server's work (apiserver's handlers/patch.go).
"""
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"


class KubernetesCluster:
    """One API server as one field manager. Connects when first asked for something. Reads are our own, writes are whose `acting` says."""

    def __init__(
        self,
        access: Access,
        *,
        manager: str = MANAGER,
        pace: Pace | None = None,
        acting: Acting | None = None,
        on_request: OnRequest | None = None,
    ) -> None:
        if acting is not None and access.headers:
            raise Unreachable(f"{access.place} impersonates somebody already", "take `as` out of the kubeconfig's user")
        self._access = access
        self._on_request = on_request
        self._manager = manager
        self._pace = pace or Pace()
        self._acting = acting
        self._opened: tuple[Transport, Speaker] | None = None

    @property
    def place(self) -> str:
        """The context, for people."""
        return self._access.place

    async def list(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]], glance: Glance = whole) -> tuple[Observed, ...]:
        """All objects of these kinds with these labels, kinds side by side."""
        listings = await list_kinds(self._transport, known(kinds), labels, glance)
        return tuple(found for listing in listings for found in listing.objects)

    async def read(self, id: ObjectId) -> Observed | None:
        """One object, or None."""
        status, body, _ = await self._transport.send("GET", object_path(id))
        return None if status == 404 else observed(decoded(self._transport, f"read {id}", status, body))

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        """Server-side apply. A retry whose first try did take effect is no conflict with itself."""
        if dry_run and force and live is not None and (replaced := await self._replaced(body, live)):
            return self._answer(replaced)
        reply = await self._apply(body, dry_run=dry_run, force=force)
        if reply.status == 409 and reply.ambiguous and not dry_run and _is_precondition(reply):
            now = await self.read(identify(body))
            if now is not None and now.uid == body["metadata"].get("uid", now.uid):
                again = await self._apply(_unconditional(body), dry_run=True, force=force)
                if again.status == 200 and same_state(now.body, orjson.loads(again.body)):
                    return Accepted(now.body, created=False)
        return self._answer(reply)

    async def apply_status(self, body: Body) -> Answer:
        """Server-side apply of the status. Saying it twice says the same, so a retry needs no second look."""
        path = f"{object_path(identify(body), body['apiVersion'])}/status" + query(
            fieldManager=self._manager, force="true", fieldValidation=_UNREAD
        )
        return self._answer(await self._transport.send("PATCH", path, orjson.dumps(body), _APPLY))

    async def put(self, body: Body) -> Answer:
        """Create, or compare and set. A retry that finds what it was to write has written it."""
        id, creating = identify(body), "resourceVersion" not in body["metadata"]  # what the port calls it
        path = collection_path(id, body["apiVersion"]) if creating else object_path(id, body["apiVersion"])
        path += query(fieldManager=self._manager, fieldValidation="Strict")
        reply = await self._speaker.write(Request("POST" if creating else "PUT", path, body, _JSON), body)
        if reply.status == 409 and reply.ambiguous:
            live = await self.read(id)
            if live is not None and stands(body, live.body):
                return Accepted(live.body, created=creating)
        return self._answer(reply)

    async def patch_managers(self, observed: Observed, managers: Iterable[str], subresource: str = "") -> Answer:
        """Write managedFields with the entries of these managers merged into ours."""
        wanted = handed_over(observed.body, frozenset(managers), self._manager, subresource)
        metadata = {"uid": observed.uid, "resourceVersion": observed.resource_version, "managedFields": wanted}
        path = object_path(observed.id, observed.body["apiVersion"]) + query(fieldManager=self._manager)
        reply = await self._speaker.write(Request("PATCH", path, {"metadata": metadata}, _MERGE), observed.body)
        if reply.status == 409 and reply.ambiguous:
            live = await self.read(observed.id)
            if live is not None and live.uid == observed.uid and stands({"metadata": {"managedFields": wanted}}, live.body):
                return Accepted(live.body, created=False)
        return self._answer(reply)

    async def annotate(self, id: ObjectId, annotations: Mapping[str, str | None]) -> Answer:
        """A merge patch of annotations. Saying it twice says the same, so a retry needs no second look."""
        data = orjson.dumps({"metadata": {"annotations": dict(annotations)}})
        path = object_path(id) + query(fieldManager=ORDERS)
        return self._answer(await self._transport.send("PATCH", path, data, _MERGE))

    async def delete(self, observed: Observed) -> Answer:
        """Delete exactly this version. A retry that finds it gone, or going, has deleted it."""
        preconditions = {"uid": observed.uid, "resourceVersion": observed.resource_version}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": preconditions}
        path = object_path(observed.id, observed.body["apiVersion"])
        reply = await self._speaker.write(Request("DELETE", path, options, _JSON), observed.body)
        if reply.status < 300 or (reply.status == 404 and reply.ambiguous):
            return Accepted(observed.body, created=False)
        if reply.status == 409 and reply.ambiguous:
            live = await self.read(observed.id)
            if live is None or live.uid != observed.uid or "deletionTimestamp" in live.body["metadata"]:
                return Accepted(observed.body, created=False)
        return self._answer(reply)

    async def watch(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Event]:
        """Every object, then changes."""
        async with aclosing(watch(self._transport, known(kinds), labels)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._transport.close()

    @property
    def _transport(self) -> Transport:
        return self._connected()[0]

    @property
    def _speaker(self) -> Speaker:
        return self._connected()[1]

    def _connected(self) -> tuple[Transport, Speaker]:
        if self._opened is None:
            transport = Transport(self._access, self._pace, self._on_request)
            self._opened = transport, Speaker(transport, self._acting)
        return self._opened

    async def _apply(self, body: Body, *, dry_run: bool, force: bool) -> Reply:
        asked = {"force": "true" if force else None, "dryRun": "All" if dry_run else None}
        path = object_path(identify(body), body["apiVersion"]) + query(fieldManager=self._manager, fieldValidation=_UNREAD, **asked)
        return await self._speaker.write(Request("PATCH", path, body, _APPLY), body, dry_run=dry_run)

    async def _replaced(self, body: Body, live: Observed) -> Reply | None:
        """A dry-run where nothing but values differs: half the work of one by server-side apply. None where it is not that, or is refused.

        Then server-side apply is asked, whose refusal is the one that counts.
        """
        found = replacements(body, live.body, fields_of(live.body) or {})
        if not found:
            return None
        patch = [{"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version}]
        patch += [{"op": "replace", "path": each.pointer, "value": each.value} for each in found]
        validation = "Strict" if any(isinstance(each.value, dict | list) for each in found) else _UNREAD
        path = object_path(live.id, body["apiVersion"]) + query(fieldManager=self._manager, fieldValidation=validation, dryRun="All")
        reply = await self._speaker.write(Request("PATCH", path, patch, _JSON_PATCH), body, dry_run=True)
        return reply if reply.status == 200 else None

    def _answer(self, reply: Reply) -> Answer:
        if reply.status >= 300:
            return failures.refused(reply.status, reply.body)
        return Accepted(decoded(self._transport, "take a write", reply.status, reply.body), created=reply.status == 201)


def connect(
    environ: Mapping[str, str],
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    manager: str = MANAGER,
    pace: Pace | None = None,
    acting: Acting | None = None,
    on_request: OnRequest | None = None,
) -> KubernetesCluster:
    """The cluster that the ordinary kubeconfig rules find, each write as whom `acting` says. Raises Unreachable."""
    return KubernetesCluster(access(environ, kubeconfig, context), manager=manager, pace=pace, acting=acting, on_request=on_request)


def _is_precondition(reply: Reply) -> bool:
    """A 409 of uid or resourceVersion, not one of field ownership."""
    return not failures.refused(reply.status, reply.body).managers


def _unconditional(body: Body) -> dict[str, Any]:
    metadata = {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}
    return {**body, "metadata": metadata}
