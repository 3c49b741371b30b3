"""What a tool catalog's spec says: which tools there are, what they take, how dangerous they are, and in which profiles they come."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.quantities import Duration
from reconciler.model.spec import Bool, Date, HttpPath, Invariant, LinkName, Name, Spec, Text, exactly_one

ToolName = Annotated[
    str,
    Field(
        title="the name of a tool: two or more lower-case words with dots between them",
        pattern=r"^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$",
        max_length=100,
        examples=["web.search"],
    ),
]
"""A tool: its group, a dot, what it does."""
ToolPattern = Annotated[
    str,
    Field(
        title="the name of a tool, or a group of tools that ends with `*`",
        pattern=r"^(\*|[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*\.(\*|[a-z][a-z0-9_-]*))$",
        max_length=100,
        examples=["web.search", "process.*"],
    ),
]
"""A tool, `group.*` for all of a group, or `*` for all."""
Role = Literal["owner", "admin", "operator", "viewer"]
"""What a member of a tenant may do; each may do all that those after it may."""
Risk = Literal["low", "medium", "high", "admin"]
ELEVATED = frozenset({"high", "admin"})
"""Risks that need a grant."""
LabelName = Annotated[
    str,
    Field(title="a name of lower-case letters, digits and `_`, not beginning with a digit", pattern=r"^[a-z_][a-z0-9_]*$", max_length=64),
]
"""A Prometheus label name."""


class Mcp(Spec):
    """A tool of a Model Context Protocol server."""

    service: LinkName
    """The service that is the server: `platform/tool-executor`."""
    path: HttpPath = "/mcp"
    """Path of its streamable HTTP transport."""
    tool: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """What the server calls the tool; by default the name here."""


class Endpoint(Spec):
    """Where a call of the tool goes. Exactly one of `service` or `mcp`."""

    one_of: ClassVar = ("service", "mcp")
    invariants: ClassVar = (Invariant("has(self.service) == has(self.path)", "`service` and `path` go together"),)

    service: LinkName | None = None
    """A service that takes the call as an HTTP POST of its parameters: `platform/tool-executor`."""
    path: HttpPath | None = None
    """Path at that service."""
    mcp: Mcp | None = None
    """A tool of an MCP server."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(self)
        if (self.service is None) != (self.path is None):
            raise ValueError("`service` and `path` go together")
        return self


class Actions(Spec):
    """The lowest role whose members may do what with the tool. The gate decides on `tool.view`, `tool.request` and `tool.enable`."""

    view: Role = "viewer"
    """See that it exists, and its schema."""
    request: Role = "operator"
    """Ask for it in a run."""
    enable: Role = "admin"
    """Put it in the hands of an agent."""


class Tool(Spec):
    """One tool."""

    description: Text
    """What it does, in the words that the model reads."""
    endpoint: Endpoint
    """Where a call goes."""
    parameters: dict[str, Any]
    """JSON Schema of its parameters (draft 2020-12); `type: object`, no references out of the document."""
    returns: dict[str, Any] | None = None
    """JSON Schema of what it gives back."""
    risk: Risk
    """How much harm a wrong call can do; `high` and `admin` are elevated: a tenant needs a grant for each such tool."""
    actions: Actions = Actions.unsaid()
    """Who may do what with it."""
    timeout: Duration = 30_000
    """How long a call may take."""
    lifetime: Duration | None = None
    """How long what a call started may live after it."""
    sandboxed: Bool = False
    """Runs where it can reach nothing but its input."""
    telemetry: dict[LabelName, Annotated[str, Field(max_length=64)]] = Field(default_factory=dict)
    """Labels of its metrics and traces."""

    @property
    def is_elevated(self) -> bool:
        """A tenant needs a grant for it."""
        return self.risk in ELEVATED


class ToolCatalogSpec(Spec):
    """A catalog: tools, and profiles that select from them."""

    tools: Annotated[dict[ToolName, Tool], Field(min_length=1)]
    """Tools by name."""
    profiles: dict[Name, tuple[ToolPattern, ...]] = Field(default_factory=dict)
    """Selections that tenants start from, by name: tools, `group.*`, or `*`. Elevated tools need a grant even then."""


class Grant(Spec):
    """Lets a tenant use one elevated tool for a while."""

    by: Text
    """Who answers for it."""
    until: Date
    """Last day it counts. The resolved catalog carries this date, and whoever serves a call refuses it afterwards."""
    reason: Text | None = None
    """Why it is needed."""


class Selection(Spec):
    """What a tenant takes from a catalog. A denial outweighs everything, then what is allowed or granted, then the profile."""

    catalog: Name
    """The catalog."""
    profile: Name | None = None
    """The profile to start from; none means no tools but the allowed ones."""
    allow: tuple[ToolPattern, ...] = ()
    """Tools beyond the profile."""
    deny: tuple[ToolPattern, ...] = ()
    """Tools that the tenant never gets, whatever else says so."""
    grants: dict[ToolName, Grant] = Field(default_factory=dict)
    """Elevated tools by name, each with who answers for it and until when. A grant includes its tool."""
