"""The fleet: what `fleet.yaml` says, one environment of it, and all resources together."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from reconciler.model.documents import Document
from reconciler.model.findings import Finding
from reconciler.model.quantities import Cpu, Duration, Memory, format_cpu, format_memory
from reconciler.model.refs import Ref
from reconciler.model.signing import SigningRules
from reconciler.model.spec import Bool, EnvName, HttpPath, Int, LinkName, Name, Port, Spec, Text
from reconciler.model.value import dataclass

Registry = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9._/-]+)?$", max_length=255)]
"""A registry and the path in it: `ghcr.io/acme`."""
Driver = Annotated[
    str, Field(title="a driver version: numbers with dots between them", pattern=r"^[0-9]+(\.[0-9]+){0,3}$", examples=["535.183.01"])
]
FilePath = Annotated[
    str,
    Field(
        title="a file's path from the root of the repository",
        pattern=r"^\.?[A-Za-z0-9_-][A-Za-z0-9._-]*(/\.?[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
        max_length=255,
        examples=["locks/lab.lock"],
    ),
]
"""A file of the repository, by its path from the root."""
Value = str | Bool | Int | float


class Gpu(Spec):
    """The GPU of a machine."""

    model: str
    memory: Memory
    """All of the card's memory."""
    driver: Driver
    """NVIDIA driver version; images say with `cuda` what they need."""
    share: str = "nvidia.com/gpu"
    """The Kubernetes resource that stands for a share of the card."""


class Machine(Spec):
    """A machine that services are placed on."""

    memory: Memory
    cpu: Cpu | None = None
    gpu: Gpu | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of its Kubernetes node; by default `fleetwright.dev/machine: NAME`."""
    stands_for: tuple[Name, ...] = ()
    """In an environment: the machines of `fleet.yaml` that this one stands in for."""


class Hardware(Spec):
    """A hardware profile: what one replica asks for."""

    cpu: Cpu
    memory: Memory
    """Request, and limit unless `memoryLimit` says more: a pod that needs more is a wrong profile, not a bigger pod."""
    cpu_limit: Cpu | None = None
    """Most CPU it may use; without one, whatever is free."""
    memory_limit: Memory | None = None
    """Memory at which it is killed; the request unless said."""
    gpu_memory: Memory = 0
    """Share of one GPU's memory; zero means no GPU."""

    @model_validator(mode="after")
    def _limits_above_requests(self) -> Self:
        if self.memory_limit is not None and self.memory_limit < self.memory:
            raise ValueError(f"the memory limit {format_memory(self.memory_limit)} is below the request {format_memory(self.memory)}")
        if self.cpu_limit is not None and self.cpu_limit < self.cpu:
            raise ValueError(f"the CPU limit {format_cpu(self.cpu_limit)} is below the request {format_cpu(self.cpu)}")
        return self


class Tier(Spec):
    """What tenants of a tier may have."""

    features: tuple[str, ...] = ()
    quotas: dict[str, str | Int] = Field(default_factory=dict)
    """Defaults for the quotas of its tenants."""


class Guards(Spec):
    """How much an apply may take down before a person must say so."""

    percent: Annotated[Int, Field(ge=0, le=100)] = 10
    services: Annotated[Int, Field(ge=0)] = 20


class Sync(Spec):
    """How the operator keeps an environment in step with git."""

    interval: Duration = 60_000
    prune: Bool = True
    guards: Guards = Guards.unsaid()
    approval: Literal["none", "prune", "always"] = "prune"
    """What waits for `fleet approve`: nothing; what guards hold, holds with `unsafe` and what the policy blocks; or every plan."""
    deadline: Duration = 600_000
    """How long one wave, or a new build of a service with `onFailure`, may take to become healthy. `0s`: the operator does not wait for health
    between waves; it still tells it."""
    qa: Literal["health", "approval"] = "health"
    """What lets an operator go on from one wave to the next: that it is healthy, or besides that `fleet approve` of this very wave."""


SshKey = Annotated[
    str,
    Field(
        title="a public key as `ssh-keygen` writes it, on one line",
        pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]+=*( [^\x00-\x1f]*)?$",
        max_length=4096,
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q ana@acme.example"],
    ),
]
"""A public key as `ssh-keygen` writes it; the comment says whose it is."""
GpgKey = Annotated[
    str,
    Field(
        title="public keys as `gpg --armor --export` writes them", pattern=r"^-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n", max_length=65536
    ),
]
"""Public keys as `gpg --armor --export` writes them."""


class Verify(Spec):
    """Who must have signed the newest commit for an operator to follow it."""

    ssh: tuple[SshKey, ...] = ()
    """Public ssh keys."""
    gpg: tuple[GpgKey, ...] = ()
    """Public gpg keys."""

    @model_validator(mode="after")
    def _some_key(self) -> Self:
        if not self.ssh and not self.gpg:
            raise ValueError("no key is named: nobody could sign a commit; name one under ssh or gpg, or leave verify out")
        return self


class SourceRules(Spec):
    """What an operator asks of the repository that it follows. It holds for all environments: none can ask for less."""

    verify: Verify | None = None
    """Keys that sign commits. Those of the last applied commit count, so that no commit brings its own."""


class KubernetesTarget(Spec):
    """A Kubernetes cluster, found by the ordinary kubeconfig rules."""

    context: str | None = None
    kubeconfig: str | None = None
    simulated: Bool = False
    """No kubelet stands behind it; all output says so."""


class Target(Spec):
    """Where an environment lives: exactly one of these."""

    kubernetes: KubernetesTarget | None = None
    local: Spec | None = None
    memory: Spec | None = None


class DebianBase(Spec):
    """A root file system assembled from Debian packages."""

    suite: Name
    """Release by name: `bookworm`."""
    packages: tuple[str, ...] = ()
    """Packages to install, with all that they depend on."""


class Base(Spec):
    """What stands in for an external base image."""

    debian: DebianBase | None = None
    registry: str | None = None


class BuilderDefaults(Spec):
    """Which builder makes images."""

    engine: Literal["dagger", "buildah"] = "dagger"
    platforms: tuple[str, ...] = ("linux/amd64",)


class GateDefaults(Spec):
    """What every image must pass unless its own spec says otherwise."""

    fail_on: tuple[Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"], ...] = ("HIGH", "CRITICAL")
    unfixed: Literal["fail", "warn"] = "fail"


Topic = Literal[
    "begun",
    "applied",
    "failed",
    "blocked",
    "held",
    "approval",
    "unhealthy",
    "healthy",
    "conflict",
    "drift",
    "source",
    "paused",
    "vulnerable",
]
"""What a notification is about."""
SecretFile = Annotated[
    str,
    Field(
        title="the name of a file: letters, digits, `.`, `_` and `-`",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        max_length=253,
        examples=["operations-webhook"],
    ),
]
"""A key of the Secret that the operator has as a folder (`fleetwright-notifications`). Never a value."""
WebAddress = Annotated[
    str,
    Field(
        title="an address that begins with `https://`, without a password in it",
        pattern=r"^https?://[^\s/@?#]+(/[^\s@#]*)?$",
        max_length=2000,
        examples=["https://hooks.example.com/fleet"],
    ),
]
"""An address without a password in it. `http` is for the trial's own machine only."""
HostName = Annotated[
    str,
    Field(
        title="the name or address of a host",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        max_length=253,
        examples=["alerts.monitoring.svc"],
    ),
]
Repository = Annotated[
    str,
    Field(
        title="a repository on GitHub, as `owner/name`",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-]$",
        max_length=140,
        examples=["acme/fleet"],
    ),
]

BranchName = Annotated[
    str,
    Field(
        title="the name of a branch: letters, digits, `.`, `_`, `-` and `/`",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$",
        max_length=200,
        examples=["main"],
    ),
]

_NEEDS = {
    "webhook": ("secret",),
    "slack": ("url_from",),
    "github": ("secret", "repository"),
    "pull-request": ("secret", "repository"),
}
_TAKES = {
    "webhook": ("url", "url_from", "secret"),
    "slack": ("url_from",),
    "github": ("url", "secret", "repository"),
    "pull-request": ("url", "secret", "repository", "branch"),
}


class Notification(Spec):
    """Where changes of state are told."""

    type: Literal["webhook", "slack", "github", "pull-request"]
    """`webhook`: signed JSON (Standard Webhooks). `slack`: `{"text": …}`, which Mattermost and others take, too. `github`: the status of a commit.
    `pull-request`: for each build that the operator puts back, a pull request on GitHub that holds the service in its spec."""
    url: WebAddress | None = None
    """Address of a webhook, or of GitHub's API (by default https://api.github.com)."""
    url_from: SecretFile | None = None
    """File with the address, where the address is a secret itself, as Slack's is."""
    secret: SecretFile | None = None
    """File with the key that signs a webhook, or with GitHub's token. It needs the right to write commit statuses; for `pull-request`, contents
    and pull requests."""
    repository: Repository | None = None
    """Repository on GitHub."""
    branch: BranchName | None = None
    """Branch that a pull request is for; by default the repository's own."""
    private_hosts: tuple[HostName, ...] = ()
    """Hosts that may have an address of a private network, such as a Service of the cluster. Others may not."""
    events: tuple[Topic, ...] = ()
    """What is told; nothing given is all but `begun`. `github` takes what becomes of commits, always; `pull-request` builds that are put back."""

    @model_validator(mode="after")
    def _as_its_type(self) -> Self:
        for own in ("url", "url_from", "secret", "repository", "branch"):
            name = to_camel(own)
            if getattr(self, own) is None and own in _NEEDS[self.type]:
                raise ValueError(f"`type: {self.type}` needs `{name}`")
            if getattr(self, own) is not None and own not in _TAKES[self.type]:
                raise ValueError(f"`type: {self.type}` takes no `{name}`")
        if self.type == "webhook" and (self.url is None) == (self.url_from is None):
            raise ValueError("`type: webhook` needs either `url` or `urlFrom`")
        return self


class Observability(Spec):
    """The service that takes the start-up reports of a machine."""

    service: LinkName
    """As `tenant/name`."""
    port: Port = 8080
    """Its port; said here so that a broken spec of that service changes no pod elsewhere."""
    path: HttpPath = "/v1/startups"
    """Where reports are posted."""


class EnvironmentSpec(Spec):
    """One place where the fleet lives. It overrides fleet-level fields only."""

    id: Name | None = None
    """Labels every object; fixed at first install. By default `FLEET-ENVIRONMENT`."""
    target: Target
    registry: Registry | None = None
    cache: str | None = None
    image_pull_secret: Name | None = None
    lock: FilePath = "fleet.lock"
    builder: BuilderDefaults | None = None
    namespace_prefix: Annotated[
        str, Field(title="the beginning of a name: lower-case letters, digits and `-`", pattern=r"^([a-z0-9][a-z0-9-]*)?$", max_length=20)
    ] = ""
    machines: dict[Name, Machine] | None = None
    sync: Sync | None = None
    values: dict[EnvName, Value] = Field(default_factory=dict)
    assume_hardware: Bool = False
    """Places GPU services although no machine has the GPU: for tests and dry trials."""
    unlocked: Literal["block", "tag"] = "block"
    """A service whose image is not in the lock yet: `block` keeps what runs, `tag` renders `REGISTRY/NAME:unlocked`."""
    bases: dict[str, Base] = Field(default_factory=dict)
    signing: SigningRules | None = None
    """Keys of this environment, in place of the fleet's."""


class FleetSpec(Spec):
    """What holds for the whole fleet."""

    default_environment: Name
    """The environment of a bare `fleet apply`; never production."""
    organisation: str | None = None
    registry: Registry = "localhost:5000"
    cache: str | None = None
    machines: dict[Name, Machine] = Field(default_factory=dict)
    hardware: dict[Name, Hardware] = Field(default_factory=dict)
    tiers: dict[Name, Tier] = Field(default_factory=dict)
    waves: dict[Int, Text] = Field(default_factory=dict)
    """Waves by number: each starts when what changes in the one before is healthy."""
    policy: Name | None = None
    """The pack of tenants that name none."""
    sync: Sync = Sync.unsaid()
    source: SourceRules = SourceRules.unsaid()
    builder: BuilderDefaults = BuilderDefaults.unsaid()
    gate: GateDefaults = GateDefaults.unsaid()
    signing: SigningRules = SigningRules.unsaid()
    """Keys that sign images."""
    notifications: dict[Name, Notification] = Field(default_factory=dict)
    observability: dict[Name, Observability] = Field(default_factory=dict)
    """Machine -> service that takes its start-up reports."""
    values: dict[EnvName, Value] = Field(default_factory=dict)
    """Values that specs read as `${env.NAME}`; environments may give others of the same type."""
    environments: dict[Name, EnvironmentSpec]


S_co = TypeVar("S_co", bound=Spec, covariant=True)


@dataclass(frozen=True, slots=True)
class Resource(Generic[S_co]):
    """A spec that parsed."""

    ref: Ref
    spec: S_co
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    document: Document

    @property
    def tenant(self) -> str:
        """The tenant that owns it; empty for kinds of the whole fleet."""
        return self.ref.tenant


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that a source declares. `broken` names what has a file that did not parse: it is kept, never updated, never pruned."""

    name: str
    spec: FleetSpec | None
    """None while `fleet.yaml` is missing or broken: then nothing at all may be done."""
    document: Document | None
    resources: Mapping[Ref, Resource[Spec]]
    broken: frozenset[Ref]
    findings: tuple[Finding, ...]

    def of_kind(self, kind: str) -> Iterator[Resource[Spec]]:
        """Resources of one kind, in order of name."""
        return (resource for ref, resource in self.resources.items() if ref.kind == kind)


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment with the fleet's defaults merged in."""

    name: str
    id: str
    target: Target
    registry: str
    cache: str
    image_pull_secret: str | None
    lock: str
    builder: BuilderDefaults
    namespace_prefix: str
    machines: Mapping[str, Machine]
    stands_for: Mapping[str, str]
    """Machine as specs name it -> machine of this environment."""
    sync: Sync
    values: Mapping[str, Value]
    assume_hardware: bool
    unlocked: Literal["block", "tag"]
    bases: Mapping[str, Base] = field(default_factory=dict)
    signing: SigningRules = SigningRules.unsaid()

    @property
    def simulated(self) -> bool:
        """No kubelet stands behind the target: readiness is played."""
        return self.target.kubernetes is not None and self.target.kubernetes.simulated

    def namespace(self, tenant: str) -> str:
        """The namespace of a tenant here."""
        return self.namespace_prefix + tenant


SYSTEM_NAMESPACE = "fleetwright-system"
"""Where inventories and Leases live."""
