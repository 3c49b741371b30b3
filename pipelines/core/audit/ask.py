"""What to audit of an image: what its spec says, and what the services and tasks that run in it name."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.core.audit.evidence import APPLICATIONS, EVERYTHING, Folders, Named
from pipelines.model.audit import Grade
from reconciler.kinds.image.spec import Audit, ImageSpec
from reconciler.kinds.service.naming import image_name
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.graph import Graph
from reconciler.model.refs import Ref


def folders(graph: Graph, image: str) -> Folders:
    """The folders of an image's `audit`, everything where it names none, and the modules that its services and tasks run by name.

    A service's own build is an image without a spec.
    """
    resource = graph.resources.get(Ref("Image", image))
    asked = resource.spec.audit if resource is not None and isinstance(resource.spec, ImageSpec) else Audit()
    python = frozenset(path.strip("/") for path in asked.python) or APPLICATIONS
    libraries = frozenset(path.strip("/") for path in asked.libraries) or EVERYTHING
    return Folders(python, libraries, asked.packages, dict(_modules(graph, image)))


def _modules(graph: Graph, image: str) -> Iterator[tuple[str, Named]]:
    """A task's module is missed when the task runs, that of a service's command at once."""
    runs = {
        ref: spec
        for ref, one in graph.resources.items()
        if isinstance(spec := one.spec, ServiceSpec) and image_name(one) == image  # type: ignore[arg-type]
    }
    for ref, one in graph.resources.items():
        if isinstance(one.spec, TaskSpec) and Ref("Service", one.spec.worker, ref.tenant) in runs:
            yield one.spec.entrypoint.partition(":")[0], Named(f"the task {ref.tenant}/{ref.name}", Grade.WARNING)
    for ref, service in runs.items():
        by = Named(f"the service {ref.tenant}/{ref.name}", Grade.ERROR)
        health = service.health.exec if service.health is not None else None
        for words in ((*(service.entrypoint or ()), *(service.command or ())), health or ()):
            if name := _module(words):
                yield name, by
        if service.worker is not None:
            yield service.worker.app.partition(":")[0], by


def _module(words: tuple[str, ...]) -> str:
    """The module of `python -m MODULE`; empty where a command is another."""
    where = words.index("-m") if "-m" in words[:-1] else 0
    return words[where + 1] if where and words[where - 1].rpartition("/")[2].startswith("python") else ""
