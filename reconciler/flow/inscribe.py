"""Inscribing: the writes to one custom resource, each tried again as often as that makes sense."""

from __future__ import annotations

from typing import Any

import orjson

from reconciler.core.projecting import Whose, hands
from reconciler.flow.known import Known, is_older, known
from reconciler.model.manifests import Body, ObjectId, Observed
from reconciler.model.spec import API_VERSION
from reconciler.ports import Accepted, Cluster, Refused

_TRIES = 5
_FINAL = frozenset({400, 422})
"""Refusals that stay until the definition or what is wanted changes."""


class Inscriber:
    """Writes custom resources, and keeps what is known of them up to date."""

    def __init__(self, cluster: Cluster, environment_id: str, all_known: dict[ObjectId, Known]) -> None:
        self._cluster = cluster
        self._environment_id = environment_id
        self._known = all_known
        self._refused: dict[tuple[ObjectId, str], bytes] = {}
        self._undefined: set[str] = set()
        self._unspecified: set[ObjectId] = set()
        """Whose spec was refused last: that its status was taken settles nothing."""
        self.problems: dict[str, str] = {}
        """What cannot be written and why, by what it is about."""

    def begin(self, *, whole: bool) -> None:
        """A pass begins: kinds that were not served may be by now. A whole one finds every problem again that it does not skip."""
        for kind in self._undefined:
            self.problems.pop(kind, None)
        self._undefined.clear()
        if whole:
            self.problems = {str(id): self.problems[str(id)] for id, _ in self._refused if str(id) in self.problems}

    def forget_refusals(self) -> None:
        """Everything may be tried again."""
        self._refused.clear()

    def settled(self, id: ObjectId) -> None:
        """A custom resource is as it should be."""
        if (id, "") not in self._refused and id not in self._unspecified:
            self.problems.pop(str(id), None)

    async def specify(self, id: ObjectId, body: Body, wanted: bytes) -> bool:
        """Writes the spec where it differs; whether anything was written."""
        wrote = False
        for _ in range(_TRIES):
            live = self._known.get(id)
            if live is not None and live.is_there and live.stands(wanted):
                live.sent, live.echo = wanted, live.mark
                self._refused.pop((id, ""), None)
                self._unspecified.discard(id)
                return wrote
            if id.kind in self._undefined or self._refused.get((id, "")) == wanted:
                return wrote
            there = live is not None and live.is_there
            if live is not None:
                live.sending = wanted
            answer = await self._cluster.apply(_addressed(body, live), dry_run=False, force=there)
            if isinstance(answer, Refused):
                if answer.status == 409 and await self._look(id):
                    continue
                self._mind(id, "", wanted, answer)
                return wrote
            wrote, taken = True, self._take(id, answer)
            if taken.mark == wanted or not await self._take_over(id, answer.body, hands(answer.body)):
                self._known[id].sent, self._known[id].echo = wanted, taken.mark
        return wrote

    async def say(self, id: ObjectId, wanted: bytes) -> bool | None:
        """Writes a status: whether it was taken, or None where the custom resource is gone."""
        if id.kind in self._undefined or self._refused.get((id, "status")) == wanted:
            return False
        body = {**_named(id), "status": orjson.loads(wanted)}
        self._known[id].saying = wanted
        for _ in range(_TRIES):
            match await self._cluster.apply_status(body):
                case Accepted() as answer:
                    taken = self._take(id, answer)
                    self._known[id].said, self._known[id].heard = wanted, taken.status
                    others = () if taken.status == wanted else hands(answer.body, "status")
                    if not await self._take_over(id, answer.body, others, "status"):
                        self._refused.pop((id, "status"), None)
                        self.settled(id)
                        return True
                case Refused(status=409):
                    continue
                case Refused(status=404) as answer:
                    self._known[id].bury()
                    return None
                case Refused() as answer:
                    self._mind(id, "status", wanted, answer)
                    return False
        return True

    async def remove(self, id: ObjectId) -> bool:
        """Deletes a custom resource of ours; whether it is gone."""
        for _ in range(_TRIES):
            live = self._known[id]
            if live.whose is not Whose.OURS or not live.is_labelled:
                return False
            match await self._cluster.delete(Observed(id, live.uid, live.version, _named(id))):
                case Accepted() | Refused(status=404):
                    del self._known[id]
                    return True
                case Refused(status=409):
                    if not await self._look(id):
                        del self._known[id]
                        return True
                case Refused() as answer:
                    self.problems[str(id)] = f"{id} cannot be deleted: {answer.status} {answer.reason}: {answer.message}"
                    return False
        return False

    async def _look(self, id: ObjectId) -> bool:
        """Looks at it anew; False where it is not there, or not ours to write."""
        observed = await self._cluster.read(id)
        if observed is None:
            if id in self._known:
                self._known[id].bury()
            return False
        live = self._known[id] = known(observed.body, self._environment_id, self._known.get(id))
        return live.whose is Whose.OURS

    async def _take_over(self, id: ObjectId, body: Body, managers: tuple[str, ...], subresource: str = "") -> bool:
        """Takes the fields of others over, so that the next write removes them; False where there is nothing to take."""
        if not managers:
            return False
        seen = Observed(id, body["metadata"]["uid"], body["metadata"]["resourceVersion"], body)
        answer = await self._cluster.patch_managers(seen, managers, subresource)
        if isinstance(answer, Accepted):
            self._take(id, answer)
            return True
        return answer.status == 409 and await self._look(id)

    def _take(self, id: ObjectId, answer: Accepted) -> Known:
        """What an answer showed. A watch may have shown what came after it: that counts."""
        old = self._known.get(id)
        taken = known(answer.body, self._environment_id, old)
        if old is None or not is_older(taken.version, old.version):
            self._known[id] = taken
        return taken

    def _mind(self, id: ObjectId, part: str, wanted: bytes, answer: Refused) -> None:
        """Remembers what was refused, so that it is told once and not tried in vain."""
        said = f"{answer.status} {answer.reason}: {answer.message}"
        if answer.status == 404 and "namespaces" not in answer.message:
            self._undefined.add(id.kind)
            self.problems[id.kind] = f"the cluster does not serve custom resources of kind {id.kind}: {said}"
            return
        if answer.status in _FINAL:
            self._refused[id, part] = wanted
        if not part:
            self._unspecified.add(id)
        self.problems[str(id)] = f"{id}{' status' if part else ''} cannot be written: {said}"


def _named(id: ObjectId) -> dict[str, Any]:
    metadata = {"name": id.name, **({"namespace": id.namespace} if id.namespace else {})}
    return {"apiVersion": API_VERSION, "kind": id.kind, "metadata": metadata}


def _addressed(body: Body, live: Known | None) -> Body:
    """The body for exactly what is there, with the annotations that came to us with fields of others."""
    if live is None or not live.is_there:
        return body
    metadata = {**body["metadata"], "uid": live.uid}
    if live.carried:
        metadata["annotations"] = {**live.carried, **metadata["annotations"]}
        metadata["resourceVersion"] = live.version
    return {**body, "metadata": metadata}
