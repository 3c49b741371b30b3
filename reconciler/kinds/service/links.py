"""What a service mentions: its image, what it depends on, and its broker."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Resource
from reconciler.model.refs import Link


def links(resource: Resource[ServiceSpec]) -> Iterator[Link]:
    """Every mention of an image or a service."""
    spec = resource.spec
    if spec.image is not None:
        yield Link("Image", spec.image, ("spec", "image"))
    if spec.build is not None:
        yield Link("Image", spec.build.image, ("spec", "build", "image"))
    for position, name in enumerate(spec.depends_on):
        yield Link("Service", name, ("spec", "dependsOn", position))
    if spec.worker is not None:
        yield from _connections(resource)


def _connections(resource: Resource[ServiceSpec]) -> Iterator[Link]:
    worker = resource.spec.worker
    assert worker is not None
    for key, connection in (("broker", worker.broker), ("resultBackend", worker.result_backend)):
        if connection is not None and connection.service is not None:
            yield Link("Service", connection.service, ("spec", "worker", key, "service"))
