"""Reaching outside a tenant: refused by us and, were we wrong, by the server. And rights that come late, or went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.cluster import KubernetesCluster, Pace, speaking
from reconciler.adapters.cluster.addresses import object_path
from reconciler.adapters.cluster.credentials import Token
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.core.acting import acting, tenant_account
from reconciler.core.home import OPERATOR
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.findings import Finding
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.model.plan import Block
from reconciler.model.result import Ending
from reconciler.model.rights import ACCOUNT, RBAC
from reconciler.ports import Answer
from tests.adapters.faults import FaultProxy, fault_proxy, status
from tests.engines.client import Api
from tests.engines.cluster import Cluster as Server
from tests.fleets import Repo, service, tenant
from tests.flow.test_crash import Killed
from tests.operator.accounts import account, config
from tests.operator.corner import Writer, small, token
from tests.operator.test_deposed import Gate, replace

OUTSIDE: Mapping[str, Mapping[str, Any]] = yaml.safe_load((Path(__file__).parent / "outside.yaml").read_text())
WRONG = [pytest.param(row, id=name.replace(" ", "_")) for name, row in OUTSIDE.items() if "code" in row]
SOON = Pace(first=0.01, longest=0.05)


def merged(base: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {**base, **{key: merged(base.get(key, {}), value) if isinstance(value, dict) else value for key, value in change.items()}}


def written(row: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What we find in a fleet with this spec in it."""
    text = tenant(row["tenant"]) if "tenant" in row else service("web")
    spec = merged(yaml.safe_load(text), row.get("spec", {}))
    return Repo.small(1).having(row.get("path", "specs/services/acme/web.yaml"), yaml.safe_dump(spec)).understood().findings


@pytest.mark.parametrize("row", WRONG)
def test_a_spec_that_reaches_outside_its_tenant_is_refused_by_us(row: Mapping[str, Any]):
    assert row["code"] in {found.code for found in written(row)}, written(row)


def test_labels_of_a_spec_make_it_nobody_elses():
    forged = {"metadata": {"name": "web", "labels": {"fleetwright.dev/kind": "Tenant", "fleetwright.dev/tenant": "there"}}}
    text = yaml.safe_dump(merged(yaml.safe_load(service("web")), forged))
    repo = Repo.small(0).having("specs/services/acme/web.yaml", text)
    web = [one for one in render(repo.graph(), KINDS) if one.owner.name == "web"]
    assert web
    assert {one.body["metadata"]["labels"]["fleetwright.dev/kind"] for one in web} == {"Service"}
    assert {one.body["metadata"]["labels"]["fleetwright.dev/tenant"] for one in web} == {"acme"}


class Corner:
    """A small fleet with a tenant, and the operator's way to its server, which may be broken."""

    def __init__(self, api: Api, server: Server, proxy: FaultProxy, prefix: str) -> None:
        self.api, self.server, self.proxy, self.prefix = api, server, proxy, prefix
        self.repo = small(prefix, services=1)
        self.namespace = f"{prefix}-acme"
        self.cluster = KubernetesCluster(Access("the operator", proxy.url, Token("any")), pace=SOON, acting=acting)

    async def restarted(self) -> None:
        """Another process, that knows nothing of what was written a moment ago."""
        await self.cluster.close()
        self.cluster = KubernetesCluster(Access("the operator", self.proxy.url, Token("any")), pace=SOON, acting=acting)

    async def applied(self) -> None:
        result = await Writer(self.cluster).apply(self.repo)
        assert result.ending is Ending.COMPLETED, result.message

    async def standing(self) -> None:
        """Everything that is declared is there, and nothing is to be done."""
        planned = await Writer(self.cluster).plan(self.repo)
        assert planned.plan.is_empty
        assert planned.world.objects.keys() == {one.id for one in render(self.repo.graph(), KINDS)}


@pytest.fixture
async def corner(cluster: Server, installed: Api, prefix: str) -> AsyncIterator[Corner]:
    async with fault_proxy(cluster.url, cluster.authority, await token(installed, OPERATOR)) as proxy:
        corner = Corner(installed, cluster, proxy, prefix)
        yield corner
        proxy.heal()
        await corner.cluster.close()
        await installed.delete(f"/api/v1/namespaces/{corner.namespace}")


def placed(value: Any, here: str, there: str) -> Any:
    return json.loads(json.dumps(value).replace("HERE", here).replace("THERE", there))


async def test_were_we_wrong_the_server_would_refuse_what_reaches_outside(corner: Corner):
    corner.repo = corner.repo.having("specs/tenants/there.yaml", tenant("there"))
    await corner.applied()
    there = f"{corner.prefix}-there"
    async with account(corner.api, OPERATOR) as operator:
        as_tenant = tenant_account(corner.namespace)
        for name, row in OUTSIDE.items():
            body = placed(row["object"], corner.namespace, there)
            path = placed(row.get("path_of", ""), corner.namespace, there) or object_path(identify(body))
            kind = "application/apply-patch+yaml"
            got = await operator.ask("PATCH", f"{path}?fieldManager=fleetwright&force=true", body, kind, as_tenant)
            assert (got.status, got.body["reason"]) == (403, "Forbidden"), (name, got.body)
            assert placed(row["told"], corner.namespace, there) in got.body["message"], (name, got.body)
        mine = await operator.apply(config(corner.namespace), as_tenant)
        assert mine.status == 201, mine.body
    await corner.api.delete(f"/api/v1/namespaces/{there}")


async def test_an_impersonated_account_has_the_groups_of_all_accounts(corner: Corner):
    await corner.applied()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    async with account(corner.api, OPERATOR) as operator:
        got = await operator.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, user=tenant_account(corner.namespace))
    assert got.status == 201, got.body
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{corner.namespace}", "system:authenticated"}
    assert set(got.body["status"]["userInfo"]["groups"]) == groups


class Dying(Gate):
    """A cluster whose user dies right after one write."""

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        answer = await self._inner.apply(body, dry_run=dry_run, force=force, live=live)
        if not dry_run and self._at("apply", identify(body)):
            raise Killed
        return answer


@pytest.mark.parametrize("kind", ["Namespace", "ServiceAccount", "Role", "RoleBinding"])
async def test_a_run_that_died_before_an_account_had_its_rights_is_taken_up(corner: Corner, kind: str):
    dying = Writer(Dying(corner.cluster, lambda verb, id: id.kind == kind and id.name in (ACCOUNT, corner.namespace)))
    with pytest.raises(Killed):
        await dying.apply(corner.repo)
    await corner.applied()
    await corner.standing()


async def test_an_account_that_lost_its_rights_has_them_back_and_then_its_workloads_are_looked_at(corner: Corner):
    await corner.applied()
    assert (await corner.api.delete(f"/apis/{RBAC}/v1/namespaces/{corner.namespace}/rolebindings/{ACCOUNT}")).status == 200
    async with account(corner.api, OPERATOR) as operator, asyncio.timeout(20):
        right = {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": corner.namespace}
        while await operator.may(right, tenant_account(corner.namespace)):
            await asyncio.sleep(0.05)
    await corner.restarted()
    changed = service("s0", extra="  env: {A: b}\n")
    corner.repo = replace(
        corner.repo.having("specs/services/acme/s0.yaml", changed).having("specs/services/acme/s1.yaml", service("s1")), "d00d"
    )
    writer = Writer(corner.cluster)
    planned = await writer.plan(corner.repo)
    deployments = [ObjectId("apps", "Deployment", corner.namespace, name) for name in ("s0", "s1")]
    assert (deployments[0] in planned.unseen, deployments[1] in planned.deferred) == (True, True)
    assert not tuple(planned.plan.of(Block))
    assert (await writer.carry_out(planned)).ending is Ending.COMPLETED
    assert not (await writer.plan(corner.repo)).unseen
    await corner.applied()
    await corner.standing()


LATE = status(403, "Forbidden", 'deployments.apps "s0" is forbidden: User "x" cannot patch resource "deployments"')


async def test_rights_that_a_server_learns_of_late_are_waited_for(corner: Corner):
    corner.proxy.fail(LATE, "PATCH", "/deployments/", times=4)
    await corner.applied()
    asked = [line for line in corner.proxy.seen if "/deployments/" in line and line.startswith("PATCH")]
    assert len(asked) == 4 + 2
    await corner.standing()


async def test_rights_that_never_come_are_not_waited_for_for_ever(corner: Corner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speaking, "_LAG", 0.3)
    corner.proxy.fail(LATE, "PATCH", "/deployments/", times=10_000)
    result = await Writer(corner.cluster).apply(corner.repo)
    assert result.ending is Ending.FAILED
    assert 'cannot patch resource "deployments"' in result.message
    assert "Only namespaces and accounts were written" in result.message


async def test_a_right_that_an_account_of_old_lacks_is_an_answer_at_once(corner: Corner):
    await corner.applied()
    await corner.restarted()
    corner.proxy.seen.clear()
    corner.proxy.fail(LATE, "PATCH", "/deployments/", times=10_000)
    corner.repo = corner.repo.having("specs/services/acme/s0.yaml", service("s0", extra="  env: {A: b}\n"))
    planned = await Writer(corner.cluster).plan(corner.repo)
    assert [block.id.kind for block in planned.plan.of(Block)] == ["Deployment"]
    assert len([line for line in corner.proxy.seen if "/deployments/" in line]) == 1


def test_a_kubeconfig_that_impersonates_already_is_refused():
    with pytest.raises(Exception, match="impersonates somebody already") as caught:
        KubernetesCluster(Access("here", "https://a.test", headers=(("Impersonate-User", "x"),)), acting=acting)
    assert caught.value.fix
