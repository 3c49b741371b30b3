"""Checks of what two services cannot both have: hosts with paths, and names of objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler.kinds.service import codes
from reconciler.kinds.service.codes import at
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.kinds.service.storage import claim_name
from reconciler.model.findings import Finding, Pointer
from reconciler.model.fleet import Resource
from reconciler.model.refs import Ref
from reconciler.model.rights import ACCOUNT

_TENANTS_OWN = re.compile(r"^(default-deny|allow-(dns|within|services|egress-.*))$")
"""NetworkPolicies that a tenant's namespace has by itself; a service's is called as the service."""
_LABEL = 63
"""Longest label value, and longest name of a Service (RFC 1123)."""


def occupied(services: Iterable[Resource[ServiceSpec]]) -> Iterator[Finding]:
    """Findings on hosts and names that are claimed more than once, told where the later claim stands."""
    hosts: dict[tuple[str, str], Ref] = {}
    names: dict[tuple[str, str, str], Ref] = {}
    for service in services:
        if _TENANTS_OWN.match(service.ref.name):
            yield at(
                service, codes.NAMES, (), f"its NetworkPolicy would be called {service.ref.name}, as one of the tenant is", "rename it"
            )
        if service.ref.name == ACCOUNT:
            yield at(
                service,
                codes.NAMES,
                (),
                f"its ServiceAccount would be called {ACCOUNT}, as the one that writes the tenant's workloads",
                "rename it",
            )
        expose = service.spec.expose
        if expose is not None:
            taken = hosts.setdefault((expose.host, expose.path.rstrip("/")), service.ref)
            if taken != service.ref:
                message = f"{expose.host}{expose.path} already belongs to {taken.short}"
                yield at(service, codes.TAKEN, ("expose", "host"), message, "choose another host or path")
        for pointer, kind, name in _objects(service):
            if len(name) > _LABEL:
                message = f"its {kind} would be called {name}: {len(name)} characters; {_LABEL} are allowed"
                yield at(service, codes.NAMES, pointer, message, f"shorten `{pointer[-1]}`, or the service's name")
            if (owner := names.get((service.ref.tenant, kind, name))) is not None:
                message = f"its {kind} would be called {name}, as one of {owner.short} is"
                yield at(service, codes.NAMES, pointer, message, "rename one of the two")
            names[service.ref.tenant, kind, name] = service.ref


def _objects(service: Resource[ServiceSpec]) -> Iterator[tuple[Pointer, str, str]]:
    """Kinds and names of objects whose names could be those of others, each with what in the spec makes it."""
    worker, name = service.spec.worker, service.ref.name
    for volume in service.spec.volumes:
        yield ("volumes", volume), "PersistentVolumeClaim", claim_name(name, volume)
    if worker is None:
        yield (), "Deployment", name
        return
    for queue in worker.queues:
        yield ("worker", "queues", queue), "Deployment", f"{name}-{queue}"
    for key, part in (("beat", worker.beat), ("flower", worker.flower)):
        if part is not None:
            yield ("worker", key), "Deployment", f"{name}-{key}"
