"""A service in one environment: what its objects are made from, and its pod."""

from __future__ import annotations

from typing import Any

from reconciler.kinds.service import network, storage
from reconciler.kinds.service.health import probes
from reconciler.kinds.service.naming import image_name
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Hardware, Resource
from reconciler.model.graph import Graph
from reconciler.model.manifests import Draft
from reconciler.model.quantities import seconds
from reconciler.model.running import Running, Site, running, site, suspended
from reconciler.model.value import dataclass
from reconciler.model.workload import Pod


@dataclass(frozen=True, slots=True)
class Setting:
    """A service that runs: what its objects are made from."""

    resource: Resource[ServiceSpec]
    graph: Graph
    namespace: str
    image: Running
    site: Site
    hardware: Hardware
    suspended: bool
    env: dict[str, str]

    @property
    def spec(self) -> ServiceSpec:
        """What its spec says."""
        return self.resource.spec

    @property
    def name(self) -> str:
        """The service's name."""
        return self.resource.ref.name

    def replicas(self, wanted: int | None) -> int | None:
        """None of a suspended tenant's pods run; None where an autoscaler says how many."""
        return 0 if self.suspended else wanted

    def draft(self, body: dict[str, Any]) -> Draft:
        """One object of this service, in its wave."""
        return Draft(body, self.resource.ref, wave=self.spec.wave)


def setting(resource: Resource[ServiceSpec], graph: Graph) -> Setting | None:
    """What a service runs as in this environment; None where it may not run, or where its hardware profile is not known."""
    ref, spec, fleet = resource.ref, resource.spec, graph.fleet.spec
    image = running(graph.environment.registry, image_name(resource), graph.choices.get(ref))
    where = site(graph, ref, spec.machine)
    hardware = fleet.hardware.get(spec.hardware) if fleet is not None else None
    if image is None or where is None or hardware is None:
        return None
    env = {**spec.env, "FLEETWRIGHT_SERVICE": ref.short}
    url = network.report_url(graph, spec)
    if url is not None:
        env["FLEETWRIGHT_REPORT_URL"] = url
    return Setting(resource, graph, graph.environment.namespace(ref.tenant), image, where, hardware, suspended(graph, ref.tenant), env)


def pod(here: Setting, config: dict[str, Any] | None) -> Pod:
    """The pod of a service."""
    spec, files = here.spec, here.spec.config
    return Pod(
        name=here.name,
        instance=here.name,
        tenant=here.resource.ref.tenant,
        image=here.image,
        site=here.site,
        hardware=here.hardware,
        user=spec.user,
        env=here.env,
        secrets=spec.secrets,
        entrypoint=spec.entrypoint or (),
        args=spec.command or (),
        ports=spec.ports,
        probes=probes(spec.health, spec.ports) if spec.health is not None else {},
        volumes=[*([storage.file_volume(config)] if config is not None else ()), *storage.volumes(here.name, spec)],
        mounts=[*storage.file_mounts(files), *storage.mounts(spec)],
        claims=any(volume.type == "claim" for volume in spec.volumes.values()),
        grace=seconds(spec.stop_timeout),
    )
