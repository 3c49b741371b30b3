"""What a service's spec must be beyond its types: names that exist, numbers that go together, nothing that hides or harms another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.image.checks import nearest
from reconciler.kinds.service import codes
from reconciler.kinds.service.codes import at
from reconciler.kinds.service.contents import contents
from reconciler.kinds.service.naming import image_name, port_named
from reconciler.kinds.service.network import all_ports
from reconciler.kinds.service.occupied import occupied
from reconciler.kinds.service.scaling import fewest, most
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.kinds.service.storage import exclusive
from reconciler.model.findings import Finding, Pointer
from reconciler.model.fleet import FleetSpec, Resource
from reconciler.model.kind import Scene
from reconciler.model.refs import Ref
from reconciler.model.worker import Connection

Service = Resource[ServiceSpec]


def checks(service: Service, scene: Scene) -> Iterator[Finding]:
    """Findings on one service."""
    if scene.fleet.spec is not None:
        yield from _fleet(service, scene.fleet.spec)
    yield from _dependencies(service, scene)
    yield from _ports(service)
    yield from _count(service)
    yield from _image(service, scene)
    yield from _worker(service, scene)
    yield from contents(service)


def together(services: Iterable[Service], scene: Scene) -> Iterator[Finding]:
    """Findings that only show among several services."""
    del scene
    yield from occupied(services)


def _fleet(service: Service, fleet: FleetSpec) -> Iterator[Finding]:
    spec = service.spec
    if spec.machine not in fleet.machines:
        fix = nearest(spec.machine, fleet.machines)
        yield at(service, codes.MACHINE, ("machine",), f"there is no machine `{spec.machine}`", fix)
    if spec.wave not in fleet.waves:
        fix = f"there is {', '.join(map(str, sorted(fleet.waves))) or 'none'}; fleet.yaml names waves"
        yield at(service, codes.WAVE, ("wave",), f"there is no wave {spec.wave}", fix)
    for pointer, profile in _profiles(spec):
        if profile not in fleet.hardware:
            fix = nearest(profile, fleet.hardware)
            yield at(service, codes.HARDWARE, pointer, f"there is no hardware profile `{profile}`", fix)
    for number, name in enumerate(spec.force_image_tag.environments if spec.force_image_tag is not None else ()):
        if name not in fleet.environments:
            fix = nearest(name, fleet.environments)
            pointer = ("forceImageTag", "environments", number)
            yield at(service, codes.ENVIRONMENT, pointer, f"there is no environment `{name}`, so the hold would hold nowhere", fix)
    yield from _memory(service, fleet)


def _profiles(spec: ServiceSpec) -> Iterator[tuple[Pointer, str]]:
    yield ("hardware",), spec.hardware
    worker = spec.worker
    if worker is None:
        return
    for name, queue in worker.queues.items():
        if queue.hardware is not None:
            yield ("worker", "queues", name, "hardware"), queue.hardware
    for key, part in (("beat", worker.beat), ("flower", worker.flower)):
        if part is not None and part.hardware is not None:
            yield ("worker", key, "hardware"), part.hardware


def _memory(service: Service, fleet: FleetSpec) -> Iterator[Finding]:
    hardware = fleet.hardware.get(service.spec.hardware)
    for name, volume in service.spec.volumes.items():
        limit = (hardware.memory_limit or hardware.memory) if hardware is not None else None
        if volume.type == "memory" and limit is not None and volume.size >= limit:
            message = f"the volume {name} may fill all the memory of the profile {service.spec.hardware}"
            yield at(service, codes.MEMORY, ("volumes", name, "size"), message, "make it smaller, or choose a larger profile")


def _dependencies(service: Service, scene: Scene) -> Iterator[Finding]:
    for link, ref in scene.links(service.ref):
        target = scene.fleet.resources.get(ref)
        if target is not None and isinstance(target.spec, ServiceSpec) and target.spec.wave > service.spec.wave:
            message = f"{ref.short} is in wave {target.spec.wave}, this service in wave {service.spec.wave}"
            fix = f"move {ref.short} to wave {service.spec.wave} or before, or this one to {target.spec.wave}"
            yield codes.LATER.at(service.document.place(link.pointer), message, fix, service.ref)


def _ports(service: Service) -> Iterator[Finding]:
    spec, ports = service.spec, all_ports(service.spec)
    numbers: dict[int, str] = {}
    for name, number in spec.ports.items():
        if (other := numbers.setdefault(number, name)) != name:
            yield at(service, codes.SAME_PORT, ("ports", name), f"{name} and {other} are both {number}", "give one another number")
    health = spec.health
    if health is not None and health.http is not None:
        yield from _port(service, ("health", "port" if health.port else "http"), health.port, spec.ports)
    if health is not None and health.tcp is not None:
        yield from _port(service, ("health", "tcp"), health.tcp, spec.ports)
    if spec.expose is not None:
        yield from _port(service, ("expose", "port") if spec.expose.port else ("expose",), spec.expose.port, ports)


def _port(service: Service, pointer: Pointer, name: str | None, ports: dict[str, int], whose: str = "") -> Iterator[Finding]:
    if port_named(ports, name) is not None:
        return
    if name is not None:
        yield at(service, codes.PORT, pointer, f"{whose}there is no port `{name}`", nearest(name, ports))
    else:
        yield at(service, codes.PORT, pointer, f"{whose}there are {len(ports)} ports; which one is meant?", "name one with `port`")


def _count(service: Service) -> Iterator[Finding]:
    spec = service.spec
    if spec.replicas is not None and spec.autoscale is not None:
        yield at(service, codes.TWO_COUNTS, ("replicas",), "`replicas` and `autoscale` are both given", "take one of them out")
    elif most(spec) > 1 and exclusive(spec):
        key = "autoscale" if spec.autoscale is not None else "replicas"
        message = f"up to {most(spec)} replicas would share a volume that only one may have"
        yield at(service, codes.SHARED, (key,), message, "use one replica, or `access: ReadWriteMany`")
    if spec.disruption is not None and fewest(spec) > 1:
        least = spec.disruption.min_available
        stuck = least == "100%" or (isinstance(least, int) and least >= fewest(spec))
        if stuck or spec.disruption.max_unavailable == "0%":
            message = f"with {fewest(spec)} replicas none of them may ever be away"
            yield at(service, codes.STUCK, ("disruption",), message, "let at least one go: `maxUnavailable: 1`")


def _image(service: Service, scene: Scene) -> Iterator[Finding]:
    spec = service.spec
    if spec.force_image_tag is not None and spec.force_image_tag.tag == "prev":
        message = "a hold on `prev` would move with every build"
        yield at(service, codes.PREV, ("forceImageTag",), message, f"fleet rollback {service.ref.short} --to prev")
    if spec.build is not None and Ref("Image", image_name(service)) in scene.fleet.resources:
        message = f"its own build would be called {image_name(service)}, as an image of the fleet is"
        yield at(service, codes.BUILD_NAME, ("build",), message, "rename the image or the service")


def _worker(service: Service, scene: Scene) -> Iterator[Finding]:
    spec, worker = service.spec, service.spec.worker
    if worker is None:
        return
    for key, given in (("command", spec.command), ("autoscale", spec.autoscale)):
        if given is not None:
            yield at(service, codes.WORKER, (key,), f"`{key}` means nothing beside `worker`", f"take `{key}` out")
    if worker.default_queue is not None and worker.default_queue not in worker.queues:
        message = f"there is no queue `{worker.default_queue}`"
        yield at(service, codes.QUEUE, ("worker", "defaultQueue"), message, nearest(worker.default_queue, worker.queues))
    for key, connection in (("broker", worker.broker), ("resultBackend", worker.result_backend)):
        if connection is not None and connection.service is not None:
            yield from _connection(service, scene, key, connection)


def _connection(service: Service, scene: Scene, key: str, connection: Connection) -> Iterator[Finding]:
    wanted: Pointer = ("spec", "worker", key, "service")
    target = next((scene.fleet.resources.get(ref) for link, ref in scene.links(service.ref) if link.pointer == wanted), None)
    if target is not None and isinstance(target.spec, ServiceSpec):
        pointer = ("worker", key, "port" if connection.port else "service")
        yield from _port(service, pointer, connection.port, target.spec.ports, f"in {target.ref.short} ")
