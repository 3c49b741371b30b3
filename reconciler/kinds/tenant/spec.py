"""What a tenant's spec says: who belongs to it, how much it may use, which tools and policy it has, and whom its pods may talk to."""

from typing import Annotated, Literal

from pydantic import Field

from reconciler.kinds.policy_pack.spec import Settings
from reconciler.kinds.tool_catalog.spec import Role, Selection
from reconciler.model.egress import Egress
from reconciler.model.quantities import Cpu, Memory
from reconciler.model.spec import Bool, Int, LinkName, Name, Spec

Member = Annotated[
    str,
    Field(
        title="a user's name, or an e-mail address",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._%+-]*(@[A-Za-z0-9.-]+)?$",
        max_length=253,
        examples=["ana@acme.example"],
    ),
]
"""A user as the cluster's authentication names them, most often by e-mail address."""
Feature = Annotated[
    str, Field(title="a feature: lower-case letters, digits and `-`, beginning with a letter", pattern=r"^[a-z][a-z0-9-]*$", max_length=52)
]


class Quotas(Spec):
    """How much the tenant may use in all. What is not said is its tier's, and what the tier does not say is unlimited."""

    cpu: Cpu | None = None
    """Sum of the CPU requests of its pods."""
    memory: Memory | None = None
    """Sum of the memory requests of its pods."""
    gpu_memory: Memory | None = None
    """Sum of the GPU memory that its services ask for. Clusters do not count it: lint does, and 0 keeps pods off GPUs altogether."""
    objects: Annotated[Int, Field(ge=1, le=100_000)] | None = None
    """Most objects of each sort: pods, services, config maps, claims, deployments, jobs."""


class Policy(Spec):
    """Which policy holds for the tenant."""

    pack: Name | None = None
    """The policy pack; by default the fleet's."""
    overrides: Settings = Settings.unsaid()
    """What is different for this tenant."""
    local: Bool = False
    """Lets repositories of the tenant bring a policy file of their own, which may tighten and never loosen."""


class Network(Spec):
    """Whom the tenant's pods may talk to beyond DNS and what their services declare. Nothing else is open."""

    within: Bool = False
    """Pods of the tenant may all talk to each other."""
    allow: tuple[LinkName, ...] = ()
    """Services of other tenants that every pod of this one may reach: `platform/agent-gateway`."""
    egress: dict[Name, Egress] = Field(default_factory=dict)
    """Addresses outside the cluster that every pod of the tenant may reach, by a name that says what they are."""


class TenantSpec(Spec):
    """A tenant: a namespace, and all that governs what happens in it."""

    tier: Name
    """Tier of `fleet.yaml`: which features it may have, and its quotas where it names none."""
    state: Literal["active", "suspended"] = "active"
    """`suspended`: its services are scaled to zero and its schedules paused; nothing is deleted."""
    features: tuple[Feature, ...] = ()
    """Features in use, out of those of its tier."""
    quotas: Quotas = Quotas.unsaid()
    """How much it may use."""
    members: dict[Member, Role] = Field(default_factory=dict)
    """People and their roles; each role may do all that the lesser ones may."""
    tools: Selection | None = None
    """Tools of its agents."""
    policy: Policy = Policy.unsaid()
    """The policy that holds for it."""
    network: Network = Network.unsaid()
    """Whom its pods may talk to."""
