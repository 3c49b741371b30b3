"""The Lease: one writer an environment. Its transitions are the fence that inventories carry (Kubernetes: coordination.k8s.io/v1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.refusals import fix
from reconciler.flow.fan import Stop
from reconciler.model.fleet import SYSTEM_NAMESPACE, Environment
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGED_BY, MANAGER, Body, ObjectId, Observed
from reconciler.ports import Accepted, Clock, Cluster, Progress, Refused, Unreachable

SECONDS = 15
"""How long a Lease lasts without renewal."""
RENEW = 5
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


_OPERATOR = "operator "


def operator_named(name: str) -> str:
    """How an operator signs a Lease. Who finds that does not wait: it keeps the Lease for as long as it lives."""
    return _OPERATOR + name


def is_operator(holder: str) -> bool:
    """Whether a Lease is held by an operator."""
    return holder.startswith(_OPERATOR)


class LeaseHeld(Exception):
    """Somebody else writes to this environment. `holder` is who."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} holds the Lease of this environment")
        self.holder = holder


@dataclass(slots=True)
class Held:
    """The Lease while we hold it."""

    fence: int
    standing: Observed


def lease_id(environment: Environment) -> ObjectId:
    """The Lease of an environment."""
    return ObjectId("coordination.k8s.io", "Lease", SYSTEM_NAMESPACE, f"fleetwright-{environment.id}")


@contextlib.asynccontextmanager
async def lease(
    cluster: Cluster, clock: Clock, environment: Environment, holder: str, stop: Stop, progress: Progress, *, wait: bool
) -> AsyncIterator[int]:
    """Holds the Lease inside the block and yields the fence. Raises LeaseHeld, also when `stop` ends the wait; sets `stop` when it is lost.

    A target that fell silent is not asked to take the Lease back: it ends by itself.
    """
    held = await _acquire(cluster, clock, environment, holder, stop, progress, wait=wait)
    silent = False
    renewal = asyncio.create_task(_renew(cluster, clock, held, holder, stop))
    try:
        yield held.fence
    except Unreachable:
        silent = True
        raise
    finally:
        renewal.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewal
        with contextlib.suppress(Unreachable):
            if not silent:
                await cluster.put(_body(environment.id, held.standing, "", held.fence, clock.now()))


async def _acquire(
    cluster: Cluster, clock: Clock, environment: Environment, holder: str, stop: Stop, progress: Progress, *, wait: bool
) -> Held:
    began = clock.now()
    first: Observed | None = None
    while True:
        standing = await cluster.read(lease_id(environment))
        owner = _holder(standing, clock.now())
        if first is not None and standing is not None and _is_silent(first, standing, clock.now() - began):
            owner = ""
        if not owner or owner == holder:
            fence = _fence(standing) + 1
            answer = await cluster.put(_body(environment.id, standing, holder, fence, clock.now()))
            match answer:
                case Accepted(body=body):
                    return Held(fence, _observed(environment, body))
                case Refused(status=409):
                    continue
                case Refused(message=message) as no:
                    raise Unreachable(f"the Lease cannot be written: {message}", fix(no))
        if not wait or is_operator(owner) or stop.is_set() or clock.now() - began > timedelta(seconds=SECONDS + 1):
            raise LeaseHeld(owner)
        if first is None:
            progress.say(f"{owner} holds the Lease; waiting up to {SECONDS} s for it to end")
            first = standing
        await _pause(clock, stop)


async def _pause(clock: Clock, stop: Stop) -> None:
    """A second, or until somebody asks to stop."""
    ends = [asyncio.ensure_future(clock.sleep(1)), asyncio.ensure_future(stop.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in ends:
        task.cancel()
    await asyncio.gather(*ends, return_exceptions=True)


def _is_silent(first: Observed, now: Observed, watched: timedelta) -> bool:
    """Whether a holder did not renew while we watched for as long as a Lease lasts: its clock may be ahead of ours."""
    return first.resource_version == now.resource_version and watched >= timedelta(seconds=_duration(now))


async def _renew(cluster: Cluster, clock: Clock, held: Held, holder: str, stop: Stop) -> None:
    last = clock.now()
    while True:
        await clock.sleep(RENEW)
        environment_id = held.standing.body["metadata"]["labels"][ENVIRONMENT_LABEL]
        try:
            answer = await cluster.put(_body(environment_id, held.standing, holder, held.fence, clock.now()))
        except Unreachable:
            answer = None
        if isinstance(answer, Accepted):
            held.standing, last = _seen(held.standing.id, answer.body), clock.now()
        elif answer is not None or clock.now() - last > timedelta(seconds=SECONDS):
            stop.set("the Lease was lost to another writer")
            return


def _holder(standing: Observed | None, now: datetime) -> str:
    """Who holds it now; empty when nobody does or the holder let it lapse."""
    if standing is None:
        return ""
    spec = standing.body.get("spec", {})
    try:
        renewed = datetime.fromisoformat(spec.get("renewTime") or "")
    except ValueError:  # nobody who holds it leaves it out
        return ""
    if now - renewed > timedelta(seconds=_duration(standing)):
        return ""
    return str(spec.get("holderIdentity") or "")


def _duration(standing: Observed) -> int:
    return int(standing.body.get("spec", {}).get("leaseDurationSeconds") or SECONDS)


def _fence(standing: Observed | None) -> int:
    return int(standing.body.get("spec", {}).get("leaseTransitions") or 0) if standing else 0


def _body(environment_id: str, standing: Observed | None, holder: str, fence: int, now: datetime) -> Body:
    metadata: dict[str, Any] = {
        "name": f"fleetwright-{environment_id}",
        "namespace": SYSTEM_NAMESPACE,
        "labels": {MANAGED_BY: MANAGER, ENVIRONMENT_LABEL: environment_id},
    }
    if standing is not None:
        metadata |= {"uid": standing.uid, "resourceVersion": standing.resource_version}
    spec = {"holderIdentity": holder, "leaseDurationSeconds": SECONDS, "leaseTransitions": fence, "renewTime": now.strftime(_TIME)}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _observed(environment: Environment, body: Body) -> Observed:
    return _seen(lease_id(environment), body)


def _seen(id: ObjectId, body: Body) -> Observed:
    return Observed(id, body["metadata"]["uid"], body["metadata"]["resourceVersion"], body)
