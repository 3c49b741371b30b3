"""Writing one step: with preconditions, and again when only a status moved under it."""

from __future__ import annotations

from typing import Any

from reconciler.core.ownership import fields_of, is_ours, owned_values
from reconciler.model.manifests import REVISION_ANNOTATION, Body, ObjectId, Observed
from reconciler.model.plan import Create, Delete, Update
from reconciler.model.result import Outcome, Status
from reconciler.ports import Accepted, Answer, Cluster, Refused

TRIES = 6


async def write(cluster: Cluster, step: Create | Update, revision: str) -> tuple[Outcome, str]:
    """Applies one object; its outcome, and its uid where it now stands."""
    match step:
        case Create():
            answer = await _create(cluster, step, revision)
        case Update():
            answer = await _update(cluster, step, revision)
    action = "create" if isinstance(step, Create) else "update"
    owner = str(step.manifest.owner)
    match answer:
        case Accepted(body=body):
            return Outcome(step.manifest.id, action, Status.DONE, owner=owner), body["metadata"]["uid"]
        case Refused():
            return Outcome(step.manifest.id, action, Status.FAILED, f"{answer.status} {answer.reason}: {answer.message}", owner), ""


async def _create(cluster: Cluster, step: Create, revision: str) -> Answer:
    """Again where the conflict is the server's own and no other manager's, as when a quota's counters moved under it."""
    for _ in range(TRIES):
        answer = await cluster.apply(_body(step.manifest.body, revision), dry_run=False, force=bool(step.adopts))
        if not _is_conflict(answer) or (isinstance(answer, Refused) and answer.managers):
            break
    return answer


async def _update(cluster: Cluster, step: Update, revision: str) -> Answer:
    observed, before, strips, answer = step.observed, step.observed, step.strips, None
    for _ in range(TRIES):
        if strips:
            answer = await cluster.patch_managers(observed, strips)
            if isinstance(answer, Accepted):
                observed = _seen(step.manifest.id, answer.body)
                before = observed
            strips = strips if _is_conflict(answer) else ()
        if not strips:
            answer = await cluster.apply(_body(step.manifest.body, revision, observed), dry_run=False, force=True)
            if not _is_conflict(answer):
                return answer
        now = await cluster.read(step.manifest.id)
        if now is None or now.uid != step.observed.uid:
            return Refused(409, "Conflict", "it was replaced while this ran; plan again")
        if _ours(now) != _ours(before):
            return Refused(409, "Conflict", "somebody changed it while this ran; plan again")
        observed = now
    assert answer is not None
    return answer


def _is_conflict(answer: Answer) -> bool:
    return isinstance(answer, Refused) and answer.status == 409


def _ours(observed: Observed) -> Any:
    return owned_values(observed.body, fields_of(observed.body) or {})


async def remove(cluster: Cluster, step: Delete) -> Outcome:
    """Deletes exactly the object that was planned: same uid, still ours, and what is ours of it unchanged."""
    observed: Observed | None = step.observed
    for _ in range(TRIES):
        assert observed is not None
        answer = await cluster.delete(observed)
        match answer:
            case Accepted() | Refused(status=404):
                return Outcome(step.observed.id, "delete", Status.DONE, owner=step.owner)
            case Refused(status=409):
                observed = await cluster.read(step.observed.id)
                if observed is None or observed.uid != step.observed.uid:
                    return Outcome(step.observed.id, "delete", Status.DONE, "it was gone already", step.owner)
                if not is_ours(observed.body):
                    return Outcome(step.observed.id, "delete", Status.SKIPPED, "it is no longer ours", step.owner)
                if _ours(observed) != _ours(step.observed):
                    return Outcome(step.observed.id, "delete", Status.FAILED, "somebody changed it while this ran; plan again", step.owner)
            case Refused():
                return Outcome(step.observed.id, "delete", Status.FAILED, f"{answer.status} {answer.reason}: {answer.message}", step.owner)
    return Outcome(step.observed.id, "delete", Status.FAILED, "it changes faster than it can be deleted", step.owner)


def _body(body: Body, revision: str, observed: Observed | None = None) -> Body:
    metadata: dict[str, Any] = dict(body["metadata"])
    metadata["annotations"] = {**metadata.get("annotations", {}), REVISION_ANNOTATION: revision}
    if observed is not None:
        metadata |= {"uid": observed.uid, "resourceVersion": observed.resource_version}
    return {**body, "metadata": metadata}


def _seen(id: ObjectId, body: Body) -> Observed:
    return Observed(id, body["metadata"]["uid"], body["metadata"]["resourceVersion"], body)
