"""What a service's image and objects are called."""

from __future__ import annotations

from typing import Any

from reconciler.kinds.image.content import context
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.canonical import short
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph
from reconciler.model.holds import ImageUse
from reconciler.model.refs import Ref


def image_name(resource: Resource[ServiceSpec]) -> str:
    """The image that it runs, as lock and registry call it; a build of its own is called `TENANT-NAME`."""
    return resource.spec.image or f"{resource.ref.tenant}-{resource.ref.name}"


def image(resource: Resource[ServiceSpec]) -> ImageUse:
    """The image that it runs, and the hold on it."""
    pointer = ("spec", "image") if resource.spec.image is not None else ("spec", "build")
    return ImageUse(Ref("Image", image_name(resource)), resource.spec.force_image_tag, pointer, resource.spec.on_failure == "hold-previous")


def content(resource: Resource[ServiceSpec], graph: Graph) -> Any:
    """What reaches the builder of its own build; None where it has none."""
    build = resource.spec.build
    if build is None:
        return None
    return {"from": build.image, **context(graph, build.context, build.dockerfile, build.args)}


def content_name(name: str, content: object) -> str:
    """Name of an immutable object by its content, within 63 characters."""
    return f"{name[:52].rstrip('-')}-{short(content)}"


def file_key(path: str) -> str:
    """Key of a file in a ConfigMap: `/etc/app/app.yaml` is `etc__app__app.yaml`."""
    return path[1:].replace("/", "__")


def port_named(ports: dict[str, int], name: str | None) -> str | None:
    """The port that a spec means: the named one, or the only one."""
    if name is not None:
        return name if name in ports else None
    return next(iter(ports)) if len(ports) == 1 else None
