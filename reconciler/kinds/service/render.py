"""A service's objects: what is placed and has an image that may run; for anything else nothing, and what runs stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.kinds.service import network, scaling, storage
from reconciler.kinds.service.application import WORKER, application
from reconciler.kinds.service.setting import Setting, pod, setting
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph
from reconciler.model.manifests import Draft
from reconciler.model.workload import COMPONENT, INSTANCE, deployment


def render(resource: Resource[ServiceSpec], graph: Graph) -> Iterator[Draft]:
    """Every object of a service."""
    here = setting(resource, graph)
    if here is None:
        return
    for body in _around(here):
        yield here.draft(body)
    if resource.spec.worker is not None:
        yield from application(here, resource.spec.worker)
        return
    for body in _workload(here):
        yield here.draft(body)


def _around(here: Setting) -> Iterator[dict[str, Any]]:
    """What stands around the pods."""
    spec, name, namespace = here.spec, here.name, here.namespace
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
        "automountServiceAccountToken": False,
    }
    yield network.policy(here.resource, here.graph)
    yield from storage.claims(name, namespace, spec)
    if spec.ports:
        pods = {INSTANCE: name} if spec.worker is None else {INSTANCE: name, COMPONENT: WORKER}
        yield network.service(name, namespace, pods, spec.ports)
    if spec.expose is not None and network.exposed_port(spec) is not None:
        yield network.ingress(name, namespace, spec.expose, network.all_ports(spec))


def _workload(here: Setting) -> Iterator[dict[str, Any]]:
    """The pods of a service that is no worker application, and what keeps count of them."""
    spec, name, namespace = here.spec, here.name, here.namespace
    config = storage.config_map(name, namespace, spec.config, "config") if spec.config else None
    if config is not None:
        yield config
    recreate = here.hardware.gpu_memory > 0 or storage.exclusive(spec)
    replicas = here.replicas(scaling.fewest(spec) if spec.autoscale is None else None)
    yield deployment(pod(here, config), namespace, replicas, recreate=recreate)
    if spec.autoscale is not None:
        yield scaling.autoscaler(name, namespace, spec.autoscale)
    if scaling.fewest(spec) > 1:
        yield scaling.budget(name, namespace, spec.disruption, {INSTANCE: name})
