"""Kinds: one folder each, listed here once. Everything else that needs the list derives it."""

from __future__ import annotations

from reconciler.kinds import image, policy_pack, service, task, tenant, tool_catalog
from reconciler.model.kind import Kind

KINDS: tuple[Kind, ...] = (
    image.KIND,
    service.KIND,
    task.KIND,
    tool_catalog.KIND,
    policy_pack.KIND,
    tenant.KIND,
)
