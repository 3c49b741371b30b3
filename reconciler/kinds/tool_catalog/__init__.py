"""Tool catalogs: what agents can call. Each tenant renders what it gets of one."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.tool_catalog.checks import CODES, checks
from reconciler.kinds.tool_catalog.spec import ToolCatalogSpec
from reconciler.model.fleet import Resource
from reconciler.model.kind import Kind
from reconciler.model.refs import Link


def links(resource: Resource[ToolCatalogSpec]) -> Iterator[Link]:
    """The services that serve its tools. Unordered: they belong to tenants, which in turn use catalogs."""
    for name, tool in resource.spec.tools.items():
        pointer = ("spec", "tools", name, "endpoint")
        if tool.endpoint.service is not None:
            yield Link("Service", tool.endpoint.service, (*pointer, "service"), ordered=False)
        if tool.endpoint.mcp is not None:
            yield Link("Service", tool.endpoint.mcp.service, (*pointer, "mcp", "service"), ordered=False)


KIND = Kind(
    name="ToolCatalog",
    folder="tool-catalogs",
    scope="fleet",
    spec=ToolCatalogSpec,
    plural="fleettoolcatalogs",
    short_names=("ftools",),
    codes=CODES,
    links=links,
    checks=checks,
)
