"""What a policy pack's spec says: rules, what they block, and the settings that tenants of the pack start from."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, Strict, model_validator

from reconciler.model.quantities import Duration
from reconciler.model.spec import Bool, Int, Invariant, LinkName, Name, SecretKey, Sha256, Spec, exactly_one

Version = Annotated[
    str,
    Field(
        title="a version: two or three numbers with dots between them", pattern=r"^[0-9]+(\.[0-9]+){1,2}$", max_length=20, examples=["1.0"]
    ),
]
"""Quoted, or YAML makes a number of it."""
Ladder = Annotated[tuple[Duration, ...], Field(min_length=1, max_length=20)]
"""Waits, one after the other; the last one repeats."""
RuleCode = Annotated[
    str, Field(title="the code of a rule: three capital letters and three digits", pattern=r"^[A-Z]{3}[1-9][0-9]{2}$", examples=["SVC101"])
]
"""Code of a policy rule. Numbers below 100 are Fleetwright's own checks."""
Tokens = Annotated[Int, Field(ge=1)]
Money = Annotated[Int | Annotated[float, Strict()], Field(gt=0, le=10**9)]
RulesFolder = Annotated[
    str,
    Field(
        title="a path below `policies/`",
        pattern=r"^policies(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$",
        max_length=255,
        examples=["policies/default"],
    ),
]
DocumentPath = Annotated[str, Field(title="a path below `policies/`", pattern=r"^policies(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$", max_length=255)]
Url = Annotated[
    str,
    Field(
        title="an address that begins with http:// or https:// and holds no credentials",
        pattern=r"^https?://[^\s/@]+(/[^\s]*)?$",
        max_length=1000,
    ),
]
"""An address without credentials in it."""


class Qa(Spec):
    """What must say yes before a step of a run counts as completed."""

    gate: Literal["health", "ci", "approval"] | None = None
    """`health`: the services it touched are well. `ci`: the verdict of continuous integration. `approval`: a person."""
    after_exec: Bool | None = None
    """Queue quality checks as soon as a step was executed (AUTO_QA_AFTER_EXEC)."""
    on_ci: Bool | None = None
    """Queue quality checks as soon as continuous integration reports (AUTO_QA_ON_CI)."""


class Budgets(Spec):
    """How much runs may spend. At the ceiling a run is paused, at `alertAt` somebody is told."""

    tokens_per_step: Tokens | None = None
    """Tokens of one step, prompt and answer together."""
    tokens_per_run: Tokens | None = None
    """Tokens of one run."""
    cost_per_run: Money | None = None
    """Cost of one run, in `currency`."""
    cost_per_month: Money | None = None
    """Ceiling of a tenant's cost in a calendar month, in `currency`."""
    currency: Annotated[str, Field(title="a currency by its three capital letters (ISO 4217)", pattern=r"^[A-Z]{3}$")] | None = None
    """ISO 4217 code: `EUR`."""
    alert_at: Annotated[Int, Field(ge=1, le=100)] | None = None
    """Percent of a budget at which an alert is raised."""


class Required(Spec):
    """What every run must bring. The orchestrator refuses plans without the sections and completions without the checks."""

    sections: tuple[Name, ...] | None = None
    """Sections that the plan of a run must have."""
    checks: tuple[Name, ...] | None = None
    """Checks of continuous integration that must pass before a run completes."""


class Provider(Spec):
    """Who serves models. Exactly one of `endpoint` or `service`."""

    one_of: ClassVar = ("endpoint", "service")

    api: Literal["openai", "anthropic", "ollama", "tgi", "vllm"]
    """The protocol it speaks."""
    endpoint: Url | None = None
    """Its address, where it is outside the fleet."""
    service: LinkName | None = None
    """The service of the fleet that it is."""
    region: Name | None = None
    """Where it is; a `regional` chain prefers models of the same region."""
    auth: dict[Name, SecretKey] = Field(default_factory=dict)
    """Auth profiles by name, as `secret/key` in the tenant's namespace: tried in turn before any fallback model."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(self)
        return self


class Fallback(Spec):
    """What takes over when a model does not answer, after all auth profiles of its provider were tried."""

    to: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    """Aliases to try."""
    order: Literal["ordered", "priority", "regional"] = "ordered"
    """`ordered`: as listed. `priority`: highest `priority` first. `regional`: those of the failed model's region first."""


class Model(Spec):
    """A model under the name that services ask for, or another name for one."""

    one_of: ClassVar = ("alias", "provider")
    invariants: ClassVar = (Invariant("has(self.provider) == has(self.model)", "`provider` and `model` go together"),)

    alias: Name | None = None
    """The alias that this one is another name for. Either this, or `provider` and `model`."""
    provider: Name | None = None
    """One of `providers`."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What the provider calls it."""
    auth: tuple[Name, ...] = ()
    """Auth profiles of the provider, in the order they are tried; empty means all of them by name."""
    priority: Annotated[Int, Field(ge=0, le=1000)] = 0
    """Rank in chains of order `priority`; higher goes first."""
    tiers: tuple[Name, ...] = ()
    """Tiers whose tenants may use it; empty means all."""
    fallback: Fallback | None = None
    """What takes over when it does not answer."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        exactly_one(self)
        if (self.provider is None) != (self.model is None):
            raise ValueError("`provider` and `model` go together")
        if self.alias is not None and self.model_fields_set != {"alias"}:
            raise ValueError("another name for an alias has nothing of its own")
        return self


Alias = Annotated[
    Model, BeforeValidator(lambda value: {"alias": value} if isinstance(value, str) else value, json_schema_input_type=Model | Name)
]
"""A model, or just the alias that this is another name for."""


class Cooldown(Spec):
    """When a model or an auth profile is left alone for a while after failures."""

    after: Annotated[Int, Field(ge=1, le=100)] = 3
    """Failures in a row that start it."""
    ladder: Ladder = (60_000, 300_000, 1_500_000, 3_600_000)
    """How long it lasts: the first time, the second time in a row, and so on."""


class Models(Spec):
    """The model registry of the tenants of a pack."""

    providers: dict[Name, Provider] = Field(default_factory=dict)
    """Who serves models, by name."""
    aliases: dict[Name, Alias] = Field(default_factory=dict)
    """Models by the name that services ask for."""
    default: Name | None = None
    """Alias for services that ask for none."""
    cooldown: Cooldown | None = None
    """When a failing model is left alone."""
    backoff: Ladder | None = None
    """Waits between attempts at the same model."""
    session_override: Bool | None = None
    """A session may choose another alias for itself."""


class SignedDocument(Spec):
    """A text that agents are given: a constitution, a persona."""

    version: Version
    """Version of the text; consumers see the constitution's as `constitution_version`."""
    file: DocumentPath
    """The text."""
    sha256: Sha256
    """Digest of the file; one that does not agree is refused."""
    signature: Annotated[str, Field(title="a signature in Base64", pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=2048)] | None = None
    """Base64 of a signature over that digest by one of the fleet's keys; a bad one fails closed."""


class Settings(Spec):
    """What packs give by default and tenants may override. What is not said is taken from the pack below."""

    qa: Qa = Qa.unsaid()
    """What must say yes before a step counts as completed."""
    budgets: Budgets = Budgets.unsaid()
    """How much runs may spend."""
    required: Required = Required.unsaid()
    """What every run must bring."""
    models: Models = Models.unsaid()
    """Providers, aliases and failover of language models."""
    documents: dict[Name, SignedDocument] = Field(default_factory=dict)
    """Texts that agents are given, by role: `constitution`, `persona-reviewer`."""
    block: tuple[RuleCode, ...] = ()
    """Rules whose findings are errors. Added to those of the pack below; nothing takes one away."""


class PolicyPackSpec(Settings):
    """A policy pack: rules, and the settings its tenants start from."""

    version: Version
    """Version of the pack; shown with the effective policy."""
    status: Literal["draft", "active", "retired"] = "active"
    """A draft is not for tenants yet, a retired pack no longer."""
    extends: Name | None = None
    """The pack below: its rules and settings count where this one says nothing."""
    rules: RulesFolder | None = None
    """Folder with one rule a file, named by its code. A rule of the same code replaces that of the pack below."""
