"""What a service asks of the machine that it goes to."""

from __future__ import annotations

from reconciler.kinds.image.cuda import driver_for
from reconciler.kinds.service.scaling import fewest, most
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Fleet, Hardware, Resource
from reconciler.model.holds import Needs


def needs(resource: Resource[ServiceSpec], fleet: Fleet) -> Needs | None:
    """What each replica asks for, and how many there may be. None where the profile is not known: that is a finding already."""
    spec = resource.spec
    profiles = fleet.spec.hardware if fleet.spec is not None else {}
    pods = [profiles.get(profile) for profile in _pods(spec)]
    known = [hardware for hardware in pods if hardware is not None]
    if len(known) < len(pods) or spec.hardware not in profiles:
        return None
    driver = driver_for(fleet, spec.build.image if spec.build is not None else spec.image or "")
    # Pods of one application may differ: each counts for their mean, so that their sum is what the machine is asked for.
    cpu, memory, gpu = (-(-sum(column) // len(known)) for column in zip(*map(_amounts, known), strict=True)) if known else (0, 0, 0)
    return Needs(spec.machine, cpu, memory, gpu, len(known), driver)


def _amounts(hardware: Hardware) -> tuple[int, int, int]:
    return hardware.cpu, hardware.memory, hardware.gpu_memory


def _pods(spec: ServiceSpec) -> list[str]:
    """The hardware profile of each pod that there may be."""
    worker = spec.worker
    if worker is None:
        return [spec.hardware] * most(spec)
    pods: list[str] = []
    for queue in worker.queues.values():
        pods += [queue.hardware or spec.hardware] * (fewest(spec) if queue.replicas is None else queue.replicas)
    return pods + [part.hardware or spec.hardware for part in (worker.beat, worker.flower) if part is not None]
