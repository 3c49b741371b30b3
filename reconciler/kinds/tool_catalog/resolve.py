"""What a tenant gets of a catalog, and why: denial, then what is allowed or granted, then the profile; elevated tools need a grant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from reconciler.kinds.tool_catalog.spec import Selection, Tool, ToolCatalogSpec
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Included:
    """The tenant has the tool; `until` is the last day of the grant that it stands on."""

    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """The tenant does not have the tool."""

    reason: str


Decision = Included | Excluded
Resolution = Mapping[str, Decision]
"""A decision for each tool of the catalog, by name."""


def matches(pattern: str, tool: str) -> bool:
    """Whether a tool is named by a pattern: itself, `group.*` or `*`."""
    return pattern in ("*", tool) or (pattern.endswith(".*") and tool.startswith(pattern[:-1]))


def entitle(catalog: ToolCatalogSpec, selection: Selection) -> Resolution:
    """What the tenant is entitled to, with the date of each grant: the same on every day, so it can be desired state."""
    return {name: _decide(name, tool, catalog, selection) for name, tool in sorted(catalog.tools.items())}


def resolve(catalog: ToolCatalogSpec, selection: Selection, today: date) -> Resolution:
    """What the tenant may use today: what it is entitled to, without the grants that ended."""
    return {name: _on(decision, today) for name, decision in entitle(catalog, selection).items()}


def published(catalog: ToolCatalogSpec, selection: Selection) -> dict[str, Any]:
    """The resolved catalog as the tenant's agents and gateways read it. A tool on a grant carries `until`: after it, calls are refused."""
    tools = {}
    for name, decision in entitle(catalog, selection).items():
        if isinstance(decision, Included):
            tool = catalog.tools[name].model_dump(mode="json", by_alias=True, exclude_none=True)
            tools[name] = tool if decision.until is None else {**tool, "until": decision.until.isoformat()}
    return {"catalog": selection.catalog, "tools": tools}


def _decide(name: str, tool: Tool, catalog: ToolCatalogSpec, selection: Selection) -> Decision:
    denied = _first(selection.deny, name)
    if denied is not None:
        return Excluded(f"denied by `deny: {denied}`")
    grant = selection.grants.get(name)
    chosen = "a grant" if grant is not None else _chosen(name, catalog, selection)
    if chosen is None:
        of = f"profile {selection.profile}" if selection.profile else "no profile"
        return Excluded(f"not in {of}, nor allowed")
    if not tool.is_elevated:
        return Included(f"by {chosen}")
    if grant is None:
        return Excluded(f"by {chosen}, but its risk is {tool.risk}: it needs a grant")
    return Included(f"granted by {grant.by} until {grant.until}", grant.until)


def _chosen(name: str, catalog: ToolCatalogSpec, selection: Selection) -> str | None:
    allowed = _first(selection.allow, name)
    if allowed is not None:
        return f"`allow: {allowed}`"
    listed = _first(catalog.profiles.get(selection.profile, ()), name) if selection.profile else None
    return None if listed is None else f"profile {selection.profile} ({listed})"


def _first(patterns: tuple[str, ...], tool: str) -> str | None:
    return next((pattern for pattern in patterns if matches(pattern, tool)), None)


def _on(decision: Decision, today: date) -> Decision:
    if isinstance(decision, Included) and decision.until is not None and decision.until < today:
        return Excluded(f"{decision.reason}, which is over")
    return decision
