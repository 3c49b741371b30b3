"""What a service's spec says: which image runs where, how it is known to be well, and what reaches it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from reconciler.kinds.image.spec import BuildArg, Folder
from reconciler.model.egress import Egress
from reconciler.model.holds import HoldField
from reconciler.model.quantities import Duration, Memory
from reconciler.model.spec import Bool, EnvName, HttpPath, Int, Invariant, LinkName, Name, Port, PortName, SecretKey, Spec, exactly_one
from reconciler.model.worker import WorkerSpec

_REPLICAS = 1000
Replicas = Annotated[Int, Field(ge=0, le=_REPLICAS)]
Percent = Annotated[Int, Field(ge=1, le=100)]
Positive = Annotated[Int, Field(ge=1, le=1000)]
Arguments = Annotated[tuple[str, ...], Field(min_length=1)]
FilePath = Annotated[str, Field(title="an absolute path without spaces", pattern=r"^(/[A-Za-z0-9_.@+-]+)+$", max_length=253)]
"""An absolute path inside the container."""
Host = Annotated[
    str,
    Field(
        title="a host name in lower case, with `*.` at most in front",
        pattern=r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?|\$\{env\.[A-Za-z_]\w*\})(\.([a-z0-9]([a-z0-9-]*[a-z0-9])?|\$\{env\.[A-Za-z_]\w*\}))*$",
        max_length=253,
    ),
]
"""A DNS name (RFC 1123), which may hold values of the environment: `registry.${env.domain}`."""
Amount = Annotated[str, Field(title="a share from 0% to 100%", pattern=r"^([0-9]|[1-9][0-9]|100)%$")] | Positive


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        raise ValueError(f"write {value!r} in quotes: as a number it may lose its last zeros")  # noqa: TRY004 - pydantic wants ValueError
    return str(value) if isinstance(value, int) else value


EnvValue = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "integer", "boolean"]})]


Pause = Annotated[Duration, Field(ge=1000)]
"""At least a second: Kubernetes counts these in whole seconds."""


class Probe(Spec):
    """How often one of the probes asks, and when it believes the answer."""

    period: Pause = 10_000
    """Time from one question to the next."""
    timeout: Pause = 2_000
    """How long an answer may take."""
    failures: Positive = 3
    """Failures in a row that count."""


class Health(Spec):
    """How the service is known to be well. Exactly one of `http`, `tcp` or `exec`."""

    one_of: ClassVar = ("http", "tcp", "exec")
    invariants: ClassVar = (Invariant("!has(self.port) || has(self.http)", "`port` goes with `http` only; `tcp` names its port itself"),)

    http: HttpPath | None = None
    """A path that answers 200 to 399 when all is well."""
    tcp: PortName | None = None
    """A port that takes connections when all is well."""
    exec: Arguments | None = None
    """A command in the container that ends with 0 when all is well."""
    port: PortName | None = None
    """The port of `http`; the only one needs no naming."""
    startup: Duration = 30_000
    """How long it may take to come up before it counts as failed."""
    readiness: Probe = Probe.unsaid()
    """Fails: gets no traffic until it is well again."""
    liveness: Probe = Probe.model_construct(period=20_000)
    """Fails: is restarted."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self)
        if self.port is not None and self.http is None:
            raise ValueError("`port` goes with `http` only; `tcp` names its port itself")
        return self


class Autoscale(Spec):
    """As many replicas as the load asks for, between two bounds."""

    invariants: ClassVar = (Invariant("!has(self.min) || self.min <= self.max", "`min` is above `max`"),)

    min: Annotated[Int, Field(ge=1, le=_REPLICAS)] = 1
    """Fewest replicas."""
    max: Annotated[Int, Field(ge=1, le=_REPLICAS)]
    """Most replicas."""
    cpu: Percent | None = None
    """Average CPU use to aim at, in percent of the request; 70 where `memory` is not given either."""
    memory: Percent | None = None
    """Average memory use to aim at, in percent of the request."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Volume(Spec):
    """Storage, mounted at a path."""

    path: FilePath
    """Where it is mounted."""
    size: Annotated[Memory, Field(ge=1)]
    """Size of a claim, limit of anything else. A claim can grow; it never shrinks."""
    type: Literal["claim", "scratch", "memory"] = "claim"
    """`claim` outlives the pod, `scratch` goes with it, `memory` too and counts as its memory."""
    storage_class: str | None = None
    """StorageClass of a claim; by default the cluster's."""
    access: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"] = "ReadWriteOnce"
    """Who may mount a claim at the same time."""


class Expose(Spec):
    """Makes the service reachable from outside the cluster."""

    host: Host
    """DNS name it answers to."""
    path: HttpPath = "/"
    """Prefix of the paths that go to it."""
    port: PortName | None = None
    """The port requests go to; the only one needs no naming."""
    tls: Bool = True
    """Serve HTTPS."""
    tls_secret: Name | None = None
    """Secret with the certificate; by default `NAME-tls`, for a certificate manager to fill."""
    ingress_class: str | None = None
    """IngressClass; by default the cluster's."""


class Disruption(Spec):
    """How many replicas may be away at once when nodes are drained. One of the two."""

    one_of: ClassVar = ("max_unavailable", "min_available")

    max_unavailable: Amount | None = None
    """At most so many away: a number or a share such as `25%`."""
    min_available: Amount | None = None
    """At least so many there: a number or a share such as `50%`."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        exactly_one(self)
        return self


class OwnBuild(Spec):
    """A build of the service's own, on top of an image of the fleet."""

    image: Name
    """The image it starts from."""
    context: Folder
    """Folder with its Dockerfile and files."""
    dockerfile: Folder = "Dockerfile"
    """The Dockerfile, from the context."""
    args: dict[BuildArg, str] = Field(default_factory=dict)
    """Build arguments; never a secret."""


class ServiceSpec(Spec):
    """A service: one image, kept running."""

    one_of: ClassVar = ("image", "build")

    image: Name | None = None
    """Image of the fleet that it runs. Either this or `build`."""
    build: OwnBuild | None = None
    """A build of its own on top of one."""
    machine: Name
    """Machine of `fleet.yaml` that it goes to."""
    hardware: Name
    """Hardware profile of `fleet.yaml`: what one replica asks for."""
    replicas: Replicas | None = None
    """How many run; one unless said. Not together with `autoscale`."""
    autoscale: Autoscale | None = None
    """Lets the cluster choose the number of replicas."""
    ports: dict[PortName, Port] = Field(default_factory=dict)
    """Ports by name; the service answers to the same ones inside the cluster."""
    health: Health | None = None
    """How it is known to be well."""
    env: dict[EnvName, EnvValue] = Field(default_factory=dict)
    """Environment variables. `${env.NAME}` is a value of the environment. Secrets go to `secrets`."""
    config: dict[FilePath, str] = Field(default_factory=dict)
    """Files by path in the container, with their text. A change rolls the service."""
    secrets: dict[EnvName, SecretKey] = Field(default_factory=dict)
    """Environment variables from secrets of the cluster, as `secret/key`. Fleetwright never sees the values."""
    volumes: dict[Name, Volume] = Field(default_factory=dict)
    """Storage by name. `/tmp` is always there; all else in the container is read-only."""
    expose: Expose | None = None
    """Makes it reachable from outside the cluster."""
    egress: dict[Name, Egress] = Field(default_factory=dict)
    """Addresses outside the cluster that it may reach, by a name that says what they are; DNS and `dependsOn` are open by themselves."""
    depends_on: tuple[LinkName, ...] = ()
    """Services that it calls: they come up no later, and the network lets the two talk."""
    wave: Int = 0
    """Wave of `fleet.yaml` that it is applied in."""
    force_image_tag: HoldField | None = None
    """Holds it on one build until somebody releases it: a tag, or `{tag, reason, by, until, environments}`."""
    on_failure: Literal["none", "hold-previous"] = "none"
    """What the operator does when a new build does not become healthy within `sync.deadline`. `hold-previous` puts the last healthy build
    back, once for each build, as a hold that everybody sees; `none` leaves it to people."""
    disruption: Disruption | None = None
    """How many replicas may be away at once; one unless said, from two replicas on."""
    entrypoint: Arguments | None = None
    """Replaces the image's entry point, and with it the start-up report."""
    command: Arguments | None = None
    """What the image's entry point is given to run."""
    user: Annotated[Int, Field(ge=1, le=2**31 - 1)] = 10001
    """Numeric user and group that it runs as; never 0."""
    stop_timeout: Duration = 30_000
    """How long it has to finish after it was told to stop."""
    worker: WorkerSpec | None = None
    """Makes it a Celery application: its tasks are specs of kind Task that name this service."""

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        exactly_one(self)
        return self
