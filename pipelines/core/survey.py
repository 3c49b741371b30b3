"""Survey: which images run in a target now, whoever put them there, and how a lock takes them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from pipelines.core.tags import PREVIOUS
from pipelines.core.uses import uses
from pipelines.model.reference import BadReference, Reference, parse_reference
from reconciler.core.choose import UNLOCKED_TAG
from reconciler.core.locking import adopt
from reconciler.core.relock import make_current
from reconciler.core.render import render_some
from reconciler.kinds import KINDS
from reconciler.model.graph import Graph, Unverified
from reconciler.model.lock import Build, Lock
from reconciler.model.manifests import Body, ObjectId
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

_ANY = "any"


@dataclass(frozen=True, slots=True)
class Workload:
    """An object that runs an image of the fleet, or would."""

    id: ObjectId
    owner: Ref
    image: str
    container: str


@dataclass(frozen=True, slots=True)
class Runs:
    """What a workload runs now; `wrong` says why that is not known."""

    workload: Workload
    reference: Reference | None
    wrong: str = ""


def workloads(graph: Graph, names: Iterable[str]) -> tuple[Workload, ...]:
    """Every object that runs one of these images: where it would be, whether it is there or not."""
    wanted = frozenset(names)
    images = {ref: use.image.short for ref, use in uses(graph) if use.image.short in wanted}
    free = replace(graph, choices={**graph.choices, **{ref: Unverified(_ANY) for ref in images}})
    return tuple(
        Workload(manifest.id, manifest.owner, images[manifest.owner], containers[0]["name"])
        for manifest in render_some(free, KINDS, images)
        if (containers := _containers(manifest.body))
    )


def runs(workload: Workload, body: Body) -> Runs:
    """What a live object runs: in the container of that name, or in its only one."""
    containers = _containers(body)
    found = [one for one in containers if one.get("name") == workload.container] or (containers if len(containers) == 1 else [])
    if not found:
        return Runs(workload, None, f"{workload.id} has no container {workload.container}")
    text = str(found[0].get("image", ""))
    try:
        return Runs(workload, parse_reference(text))
    except BadReference as wrong:
        return Runs(workload, None, f"{workload.id} runs {text[:120]!r}: {wrong}")


def _containers(body: Body) -> list[dict[str, Any]]:
    value: Any = body.get("spec") or {}
    if body["kind"] == "CronJob":
        value = (value.get("jobTemplate") or {}).get("spec") or {}
    pod = (value.get("template") or {}).get("spec") or {}
    return [one for one in pod.get("containers") or () if isinstance(one, dict)]


def tag_for(lock: Lock, image: str, reference: Reference, digest: str, today: date) -> str:
    """What the lock calls it: the tag it runs by, unless that means another build already or nothing at all."""
    plain = f"{today:%Y%m%d}-{digest.partition(':')[2][:7]}"
    builds = lock.builds(image)
    taken = {build.tag for build in builds.builds} if builds else set()
    return plain if reference.tag in ("", "latest", PREVIOUS, UNLOCKED_TAG, *taken) else reference.tag


def entered(lock: Lock, found: Mapping[str, Iterable[Build]]) -> Lock:
    """The lock with builds that nobody built here, by image. One that knows the image goes on running what it has."""
    for image, builds in found.items():
        before = lock.builds(image)
        for build in builds:
            known = lock.builds(image)
            if known is None or not any(one.digest == build.digest for one in known.builds):
                lock = adopt(lock, image, build)
        if before is not None:
            lock = make_current(lock, image, before.current.digest)
    return lock
