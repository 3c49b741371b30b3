"""Codes of references: one spec's mention of another."""

from __future__ import annotations

from reconciler.model.findings import Code, error, warning

DANGLING = error(
    "REF001",
    "reference to nothing",
    """A spec names another that does not exist.

Example: `image: famly-web` (it is `family-web`).
Fix: correct the name, or add the spec.""",
)
WRONG_KIND = error(
    "REF002",
    "reference to the wrong kind",
    """The name exists, but it is of another kind than the field wants.

Example: `dependsOn: [cleanup]` where `cleanup` is a Task; only Services can be depended on.
Fix: name a spec of the right kind.""",
)
OTHER_TENANT = error(
    "REF003",
    "reference across tenants by a bare name",
    """A bare name means the tenant of the spec that says it. What another tenant owns is named with its tenant, so that
crossing a tenant's border is seen in review.

Example: `dependsOn: [agent-gateway]` in `specs/services/acme/`; it is `platform/agent-gateway`.""",
)
UNCLEAR = error(
    "REF004",
    "reference that could mean several",
    """A spec that belongs to the whole fleet names something of a tenant by a bare name, and several tenants have one.

Example: `service: web`.
Fix: say which: `platform/web`.""",
)
NO_TENANT = error(
    "REF005",
    "tenant before a name that has none",
    """Images, tool catalogs, packs and tenants belong to the whole fleet; their names carry no tenant.

Example: `image: platform/family-web`.
Fix: `image: family-web`.""",
)
CIRCLE = error(
    "REF006",
    "references in a circle",
    """Specs that need each other cannot be brought up in any order.

Example: `a -> b -> a`: `a` depends on `b`, and `b` on `a`.
Fix: take out the reference that is needed least, often by having one side retry.""",
)
BROKEN = warning(
    "REF007",
    "reference to a broken spec",
    """The spec that is named has errors of its own. Until they are fixed, both are kept as they run: never updated, never deleted.

Fix: mend the spec that is named; its own findings say what is wrong.""",
)
NO_SUCH_TENANT = error(
    "REF008",
    "folder of a tenant that does not exist",
    """The folder of a service or a task is its tenant, and a tenant is a spec of its own: it makes the namespace, the quota and the
rights that everything of the tenant needs.

Example: `specs/services/acme/web.yaml` without `specs/tenants/acme.yaml`.
Fix: add the tenant, or move the file into the folder of one that exists.""",
)

CODES: tuple[Code, ...] = (DANGLING, WRONG_KIND, OTHER_TENANT, UNCLEAR, NO_TENANT, CIRCLE, BROKEN, NO_SUCH_TENANT)
