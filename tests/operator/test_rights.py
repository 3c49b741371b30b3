"""The generated rights, on a server that enforces them: all that a run needs, and nothing beside it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.acting import tenant_account
from reconciler.core.home import OPERATOR
from reconciler.core.installation import Part, installation
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import MANAGED_BY, MANAGER, SHAPES, Manifest, Stage, identify
from reconciler.model.rights import ACCOUNT, APPLY, RBAC
from tests.engines.client import Api
from tests.kinds.cases import Case, cases, graph
from tests.operator.accounts import Account, account, config

CASES = [case for folder in ("tenant", "service", "task") for case in cases(folder) if case.findings is None]
VERBS = ("get", "list", "watch", "create", "patch", "delete")


class Bed(NamedTuple):
    """An installed operator, and one tenant's namespace that it has made."""

    api: Api
    operator: Account
    namespace: str
    manifests: tuple[Manifest, ...]

    @property
    def tenant(self) -> str:
        return tenant_account(self.namespace)

    def of(self, kind: str, name: str) -> dict[str, Any]:
        """A copy of a rendered object of the tenant."""
        return copy.deepcopy(dict(next(one.body for one in self.manifests if one.id[1:] == (kind, self.namespace, name))))


@pytest.fixture
async def bed(installed: Api, prefix: str) -> AsyncIterator[Bed]:
    case = max(CASES, key=lambda case: len({one.id.kind for one in render(graph(case), KINDS)}))
    manifests = render(graph(case, namespace_prefix=f"{prefix}-"), KINDS)
    spaces = [one for one in manifests if one.stage is Stage.NAMESPACES]
    async with account(installed, OPERATOR) as operator:
        for one in manifests:
            if one.stage is not Stage.WORKLOADS:
                got = await operator.apply(one.body)
                assert got.status == 201, f"{one.id}: {got.body.get('message')}"
        yield Bed(installed, operator, spaces[0].id.name, manifests)
        for one in spaces:
            await installed.delete(object_path(one.id))


def telling() -> Iterator[Case]:
    """Cases that together render every kind of object in every stage, and every role by its name."""
    seen: set[tuple[object, ...]] = set()
    for case in CASES:
        new = {(one.id.kind, one.stage, one.id.name if one.id.kind.startswith("Role") else "") for one in render(graph(case), KINDS)}
        if not new <= seen:
            seen |= new
            yield case


def writer(one: Manifest) -> str:
    """Whom the operator impersonates to write an object."""
    return tenant_account(one.id.namespace) if one.stage is Stage.WORKLOADS else ""


def test_stages_say_what_kinds_render():
    rendered: dict[tuple[str, str], set[Stage]] = {}
    for case in CASES:
        for one in render(graph(case), KINDS):
            rendered.setdefault(one.id[:2], set()).add(one.stage)
    assert rendered == {kind: set(shape.stages) for kind, shape in SHAPES.items()}


def test_no_right_is_granted_by_wildcard():
    for body in installation(KINDS, None, [Part.RBAC]):
        for rule in (*body.get("rules", ()), *body.get("spec", {}).get("matchConstraints", {}).get("resourceRules", ())):
            assert "*" not in "".join(value for values in rule.values() for value in values), rule


async def test_everything_that_kinds_render_is_applied_and_pruned_with_these_rights(installed: Api, prefix: str):
    async with account(installed, OPERATOR) as operator:
        for number, case in enumerate(telling()):
            manifests = render(graph(case, namespace_prefix=f"{prefix}-{number}-"), KINDS)
            for one in manifests:
                got = await operator.apply(one.body, writer(one))
                assert got.status in (200, 201), f"{case.name}: {one.id}: {got.body.get('message')}"
            for one in reversed(manifests):
                got = await operator.delete(one.body, writer(one))
                assert got.status in (200, 202), f"{case.name}: {one.id}: {got.body.get('message')}"


async def test_a_tenants_account_may_do_what_a_service_needs_in_its_namespace_and_nowhere_else(bed: Bed):
    for (group, _), shape in SHAPES.items():
        for verb in VERBS:
            right = {"group": group, "resource": shape.plural, "verb": verb, "name": "some"}
            assert await bed.operator.may({**right, "namespace": bed.namespace}, bed.tenant) == (
                verb in APPLY and Stage.WORKLOADS in shape.stages
            ), right
            for elsewhere in ("default", SYSTEM_NAMESPACE, ""):
                assert not await bed.operator.may({**right, "namespace": elsewhere}, bed.tenant), (right, elsewhere)
    for group, resource, verb in (
        ("", "secrets", "get"), ("", "secrets", "list"), ("", "pods", "create"), ("", "serviceaccounts/token", "create"),
        ("", "configmaps", "update"), ("", "serviceaccounts", "impersonate"), ("apps", "daemonsets", "create"), (RBAC, "roles", "bind"),
        (RBAC, "roles", "escalate"), ("batch", "jobs", "create"),
    ):  # fmt: skip
        right = {"group": group, "resource": resource, "verb": verb, "namespace": bed.namespace}
        assert not await bed.operator.may(right, bed.tenant), right


async def test_an_object_outside_the_tenant_is_refused_by_the_server(bed: Bed):
    mine = await bed.operator.apply(config(bed.namespace), bed.tenant)
    assert mine.status == 201
    for elsewhere in ("default", SYSTEM_NAMESPACE):
        got = await bed.operator.apply(config(elsewhere), bed.tenant)
        assert (got.status, got.body["reason"]) == (403, "Forbidden")


async def test_a_right_given_to_a_tenants_account_elsewhere_is_of_no_use_to_it(bed: Bed):
    namespace = f"{bed.namespace}-other"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {MANAGED_BY: MANAGER}}}
    await bed.api.apply(f"/api/v1/namespaces/{namespace}", space)
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "open", "namespace": namespace}}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]}]
    await bed.api.apply(object_path(identify(role)), {**role, "rules": rules})
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "open", "namespace": namespace}}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": bed.namespace}
    given = {**binding, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "open"}, "subjects": [subject]}
    await bed.api.apply(object_path(identify(binding)), given)
    try:
        async with asyncio.timeout(20):
            while not await bed.operator.may({"resource": "configmaps", "verb": "create", "namespace": namespace}, bed.tenant):
                await asyncio.sleep(0.05)
        got = await bed.operator.apply(config(namespace), bed.tenant)
        assert "a tenant's account writes into its own namespace only" in got.body["message"]
    finally:
        await bed.api.delete(f"/api/v1/namespaces/{namespace}")


async def test_a_tenants_account_cannot_change_what_governs_the_tenant(bed: Bed):
    policy = bed.of("NetworkPolicy", "default-deny")
    opened = {**policy, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}}
    unlabelled = {**opened, "metadata": {"name": "default-deny", "namespace": bed.namespace}}
    for got in (
        await bed.operator.apply(opened, bed.tenant),
        await bed.operator.apply(unlabelled, bed.tenant),
        await bed.operator.delete(policy, bed.tenant),
    ):
        assert "not for the tenant's own account" in got.body["message"]
    for role in (bed.of("Role", ACCOUNT), bed.of("RoleBinding", ACCOUNT)):
        assert (await bed.operator.apply(role, bed.tenant)).status == 403


async def test_the_operator_itself_runs_nothing_and_reads_no_secret(bed: Bed):
    for group, resource, verb in (
        ("apps", "deployments", "create"), ("apps", "deployments", "patch"), ("apps", "deployments", "delete"), ("", "pods", "create"),
        ("batch", "cronjobs", "patch"), ("", "services", "patch"), ("", "persistentvolumeclaims", "delete"), ("", "secrets", "get"),
        ("", "secrets", "list"), ("", "pods/exec", "create"), ("", "serviceaccounts/token", "create"), ("", "nodes", "get"),
        ("", "serviceaccounts", "patch"), (RBAC, "roles", "patch"), (RBAC, "clusterroles", "patch"), (RBAC, "clusterroles", "bind"),
        (RBAC, "clusterrolebindings", "create"), ("admissionregistration.k8s.io", "validatingadmissionpolicies", "patch"),
    ):  # fmt: skip
        right = {"group": group, "resource": resource, "verb": verb, "namespace": bed.namespace, "name": OPERATOR}
        assert not await bed.operator.may(right), right


async def test_the_operator_impersonates_nobody_but_the_accounts_of_tenants(bed: Bed):
    path = f"/api/v1/namespaces/{bed.namespace}/configmaps"
    assert (await bed.operator.apply(config(bed.namespace), user=bed.tenant, query="&dryRun=All")).status == 201
    for user in (
        "admin",
        "system:admin",
        f"system:serviceaccount:{bed.namespace}:default",
        f"system:serviceaccount:kube-system:{OPERATOR}",
    ):
        got = await bed.operator.ask("GET", path, user=user)
        assert got.status == 403, user
        assert "impersonate" in got.body["message"]


async def test_the_operator_writes_into_no_namespace_of_others(bed: Bed):
    for namespace in ("default", "kube-system"):
        got = await bed.operator.apply(config(namespace))
        assert "own namespaces only" in got.body["message"]
    taken = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {MANAGED_BY: MANAGER}}}
    got = await bed.operator.apply(taken)
    assert "neither takes over" in got.body["message"]
    left = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bed.namespace}}
    got = await bed.operator.apply(left)
    assert "neither takes over" in got.body["message"]
    theirs = f"{bed.namespace}-theirs"
    await bed.api.apply(f"/api/v1/namespaces/{theirs}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": theirs}})
    for name, why in ((theirs, "neither takes over"), (SYSTEM_NAMESPACE, "and nothing else")):
        got = await bed.operator.ask("DELETE", f"/api/v1/namespaces/{name}")
        assert why in got.body["message"], name
        assert (await bed.api.get(f"/api/v1/namespaces/{name}")).body["status"]["phase"] == "Active"
    await bed.api.delete(f"/api/v1/namespaces/{theirs}")


async def test_at_home_the_operator_writes_inventories_only(bed: Bed):
    inventory = config(SYSTEM_NAMESPACE, f"inventory-{bed.namespace}")
    assert (await bed.operator.apply(inventory)).status == 201
    assert (await bed.operator.delete(inventory)).status == 200
    policy = bed.of("NetworkPolicy", "default-deny")
    policy["metadata"] = {"name": OPERATOR, "namespace": SYSTEM_NAMESPACE}
    got = await bed.operator.apply(policy)
    assert "writes its inventories, and nothing else" in got.body["message"]


async def test_a_role_of_a_tenant_says_what_it_always_says(bed: Bed):
    role = bed.of("Role", ACCOUNT)
    assert (await bed.operator.apply(role)).status == 200
    more = {**role, "rules": [*role["rules"], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}
    got = await bed.operator.apply(more)
    assert "and nothing else" in got.body["message"]
    got = await bed.operator.apply({**role, "metadata": {**role["metadata"], "name": "another"}})
    assert (got.status, got.body["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        (ACCOUNT, {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"}),
        (ACCOUNT, {"kind": "User", "apiGroup": RBAC, "name": "eve@example.org"}),
        ("tenant-viewer", {"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"}),
        ("tenant-viewer", {"kind": "User", "apiGroup": RBAC, "name": "system:anonymous"}),
    ],
)
async def test_a_role_of_a_tenant_is_bound_to_its_account_or_to_people(bed: Bed, role: str, subject: dict[str, str]):
    binding = bed.of("RoleBinding", ACCOUNT)
    binding |= {"metadata": {**binding["metadata"], "name": role}, "roleRef": {**binding["roleRef"], "name": role}, "subjects": [subject]}
    got = await bed.operator.apply(binding)
    assert "and to nothing else" in got.body["message"]


async def test_no_binding_leads_to_a_role_of_others(bed: Bed):
    binding = bed.of("RoleBinding", ACCOUNT)
    assert (await bed.operator.delete(binding)).status == 200
    for kind, name in (("ClusterRole", "cluster-admin"), ("ClusterRole", "view"), ("Role", "another")):
        got = await bed.operator.apply({**binding, "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name}})
        assert got.status in (403, 404, 422), (kind, name)
    assert (await bed.api.get(object_path(identify(binding)))).status == 404


async def test_the_operator_cannot_change_its_own_rights_nor_its_confinement(bed: Bed):
    for body in installation(KINDS, None, [Part.RBAC]):
        if body["kind"] != "Namespace":
            assert (await bed.operator.apply(body)).status == 403, identify(body)
            assert (await bed.operator.delete(body)).status == 403, identify(body)
