"""Small kinds to test the core by: one of the whole fleet, two of tenants, and tenants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding, error
from reconciler.model.fleet import Resource
from reconciler.model.holds import HoldField
from reconciler.model.kind import Kind, Scene
from reconciler.model.quantities import Duration, Memory
from reconciler.model.refs import Link
from reconciler.model.spec import Bool, EnvName, Int, LinkName, Name, Port, PortName, SecretKey, Spec

MountPath = Annotated[str, Field(pattern="^/", title="an absolute path", examples=["/var/lib/app"])]


class ImageSpec(Spec):
    """An image."""

    base: Name | None = None
    """The image below."""
    size_budget: Memory = 0
    platforms: tuple[str, ...] = ()


class HttpHealth(Spec):
    """Asks a path."""

    http: Annotated[str, Field(pattern="^/")]
    """The path that is asked."""
    startup: Duration = 60_000


class TcpHealth(Spec):
    """Asks a port."""

    tcp: Port


class ServiceSpec(Spec):
    """A service."""

    image: Name
    """The image it runs."""
    replicas: Annotated[Int, Field(ge=0, le=100)] = 1
    public: Bool = False
    ports: dict[PortName, Port] = Field(default_factory=dict)
    env: dict[EnvName, str] = Field(default_factory=dict)
    health: HttpHealth | TcpHealth | None = None
    depends_on: tuple[LinkName, ...] = ()
    tier: Literal["free", "team", "enterprise"] = "free"
    weight: int | str = 1
    force_image_tag: HoldField | None = None
    lowest: Int = 0
    highest: Int = 10
    secrets: dict[EnvName, SecretKey] = Field(default_factory=dict)
    mounts: dict[Name, MountPath] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> ServiceSpec:
        if self.lowest > self.highest:
            raise ValueError(f"lowest {self.lowest} is above highest {self.highest}")
        return self


class TaskSpec(Spec):
    """A task."""

    worker: LinkName
    image: LinkName | None = None


class TenantSpec(Spec):
    """A tenant."""

    gateway: LinkName | None = None


LONELY = error("TST001", "service that nothing needs", "An example of a kind's own check.")


def _service_checks(resource: Resource[ServiceSpec], scene: Scene) -> Iterator[Finding]:
    if resource.spec.tier == "enterprise" and not tuple(scene.backlinks(resource.ref)):
        yield LONELY.at(resource.document.place(("spec", "tier")), "nothing links to it", "link to it", resource.ref)


def _service_links(resource: Resource[ServiceSpec]) -> Iterator[Link]:
    yield Link("Image", resource.spec.image, ("spec", "image"))
    for index, name in enumerate(resource.spec.depends_on):
        yield Link("Service", name, ("spec", "dependsOn", index))


def _image_links(resource: Resource[ImageSpec]) -> Iterator[Link]:
    if resource.spec.base is not None:
        yield Link("Image", resource.spec.base, ("spec", "base"))


def _tenant_links(resource: Resource[TenantSpec]) -> Iterator[Link]:
    if resource.spec.gateway is not None:
        yield Link("Service", resource.spec.gateway, ("spec", "gateway"), ordered=False)


def _task_links(resource: Resource[TaskSpec]) -> Iterator[Link]:
    yield Link("Service", resource.spec.worker, ("spec", "worker"))
    if resource.spec.image is not None:
        yield Link("Image", resource.spec.image, ("spec", "image"))


KINDS: tuple[Kind, ...] = (
    Kind("Image", "images", "fleet", ImageSpec, "fleetimages", links=_image_links),
    Kind("Service", "services", "tenant", ServiceSpec, "fleetservices", codes=(LONELY,), links=_service_links, checks=_service_checks),
    Kind("Task", "tasks", "tenant", TaskSpec, "fleettasks", links=_task_links),
    Kind("Tenant", "tenants", "fleet", TenantSpec, "fleettenants", links=_tenant_links),
)

FLEET = b"""\
apiVersion: fleetwright.dev/v1alpha1
kind: Fleet
metadata: {name: reference}
spec:
  defaultEnvironment: trial
  machines:
    mainpc: {memory: 64Gi}
  values: {DOMAIN: fleet.example, REPLICAS: 2}
  environments:
    production: {target: {kubernetes: {context: fleet}}, values: {DOMAIN: acme.example}}
    trial: {target: {memory: {}}}
"""
IMAGE = b"""\
apiVersion: fleetwright.dev/v1alpha1
kind: Image
metadata: {name: base}
spec: {}
"""


def document(kind: str, name: str, **spec: object) -> bytes:
    """A document in block style, its fields from line 5 on."""
    lines = [f"  {field}: {value}" for field, value in spec.items()]
    head = ["apiVersion: fleetwright.dev/v1alpha1", f"kind: {kind}", f"metadata: {{name: {name}}}", "spec:" if lines else "spec: {}"]
    return "\n".join([*head, *lines, ""]).encode()


GROUND = {
    "fleet.yaml": FLEET,
    "specs/images/base.yaml": IMAGE,
    "specs/tenants/acme.yaml": document("Tenant", "acme"),
    "specs/tenants/platform.yaml": document("Tenant", "platform"),
}
"""A good fleet, for cases to add to."""


def tree(files: dict[str, bytes], *, refused: dict[str, str] | None = None) -> SourceTree:
    """A source with a good fleet beside these files."""
    return SourceTree("r", False, {**GROUND, **files}, refused=refused or {})
