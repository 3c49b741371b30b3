"""The projection on an API server: the whole fleet of this repository, hands in it, and definitions that go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from reconciler.adapters.cluster import KubernetesCluster, connect
from reconciler.core.acting import acting
from reconciler.core.environment import environment
from reconciler.core.facts import Facts
from reconciler.core.health import Failed, Progressing
from reconciler.core.home import OPERATOR
from reconciler.kinds import KINDS
from reconciler.model.fleet import Environment
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGED_BY, MANAGER, ObjectId
from reconciler.model.refs import Ref
from reconciler.model.spec import API_VERSION
from reconciler.ports import EventKind
from tests.engines.client import Api
from tests.engines.cluster import Cluster as Server
from tests.operator.corner import access, token
from tests.operator.projecting import AT, LATER, Stage, graph_of
from tests.operator.resources import TABLE, definition, path, repository, served, table_of

GATEWAY = Ref("Service", "agent-gateway", "platform")
TENANT = Ref("Tenant", "platform")


@pytest.fixture
async def stage(defined: Api, cluster: Server, prefix: str) -> AsyncIterator[Stage]:
    """The fleet of this repository, in namespaces of its own, nothing projected yet."""
    reading = repository()
    where = environment(reading.fleet, "trial")
    assert isinstance(where, Environment)
    ours = connect({}, str(cluster.kubeconfig))
    stage = Stage.of(ours, graph_of(reading, replace(where, id=prefix, namespace_prefix=f"{prefix}-")))
    spaces = {id.namespace for id in stage.projection.ids if id.namespace}
    for name in spaces:
        await defined.apply(
            f"/api/v1/namespaces/{name}",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {MANAGED_BY: MANAGER}}},
        )
    yield stage
    for one in (await stage.all()).values():
        await ours.delete(one)
    for name in spaces:
        await defined.delete(f"/api/v1/namespaces/{name}")
    await ours.close()


def where(stage: Stage, ref: Ref) -> str:
    """The address of a custom resource."""
    return path(TABLE[ref.kind], stage.id(ref).namespace, ref.name)


async def test_the_whole_fleet_is_taken_and_a_second_pass_writes_nothing(stage: Stage):
    done = await stage.project()
    assert (done.problems, done.specs, done.statuses) == ({}, len(stage.projection.ids), len(stage.projection.ids))
    found = await stage.all()
    assert found.keys() == stage.projection.ids.keys()
    for id, ref in stage.projection.ids.items():
        wanted = stage.projection.body(ref)
        assert wanted is not None
        assert found[id].body["spec"] == wanted["spec"]
        assert found[id].body["status"]["observedGeneration"] == 1
        assert "ownerReferences" not in found[id].body["metadata"]
        assert "finalizers" not in found[id].body["metadata"]
    before = await stage.versions()
    for again in (stage, await stage.restarted()):
        done = await again.project(at=LATER)
        assert (done.specs, done.statuses, done.deleted, done.changes) == (0, 0, 0, [])
    assert await stage.versions() == before


async def test_hand_edits_are_put_back_and_commands_stay(stage: Stage, defined: Api):
    await stage.project()
    wanted = await stage.live(GATEWAY)
    edit = {"spec": {"replicas": 7, "command": ["sleep"]}, "metadata": {"annotations": {"fleetwright.dev/paused": "true"}}}
    assert (await defined.merge(where(stage, GATEWAY), edit)).status == 200
    status = {"status": {"image": "forged:1", "lastChange": {"at": AT, "revision": "forged"}}}
    assert (await defined.merge(f"{where(stage, GATEWAY)}/status", status)).status == 200
    glances = [glance for glance in await stage.sees() if glance.is_drift or glance.is_command]
    assert [(one.id, one.is_drift, one.commands) for one in glances] == [(stage.id(GATEWAY), True, {"fleetwright.dev/paused": "true"})]
    done = await stage.project(at=LATER)
    assert done.problems == {}
    live = await stage.live(GATEWAY)
    assert live.body["spec"] == wanted.body["spec"]
    assert live.body["status"] == {**wanted.body["status"], "observedGeneration": live.body["metadata"]["generation"]}
    assert live.body["metadata"]["annotations"]["fleetwright.dev/paused"] == "true"
    quiet = await stage.project(at=LATER)
    assert (quiet.specs, quiet.statuses) == (0, 0)
    gone = {"metadata": {"annotations": {"fleetwright.dev/paused": None}}}
    assert (await defined.merge(where(stage, GATEWAY), gone)).status == 200
    assert any(glance.is_command and not glance.commands for glance in await stage.sees())
    await stage.project(at=LATER)
    assert "fleetwright.dev/paused" not in (await stage.live(GATEWAY)).body["metadata"]["annotations"]


async def test_a_custom_resource_that_is_deleted_comes_back_as_it_was(stage: Stage):
    await stage.project(special={GATEWAY: Facts("4be1d07", wrote=True)})
    before = await stage.live(GATEWAY)
    await stage.cluster.delete(before)
    assert stage.projector.gone(before).is_drift
    done = await stage.project(at=LATER)
    assert (done.specs, done.statuses, done.changes) == (1, 1, [])
    after = await stage.live(GATEWAY)
    assert after.uid != before.uid
    assert (after.body["spec"], after.body["status"]) == (before.body["spec"], before.body["status"])


async def test_deleting_a_definition_deletes_no_child_and_all_comes_back(stage: Stage, defined: Api):
    kind = TABLE["Service"]
    space = stage.id(GATEWAY).namespace
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child", "namespace": space}, "data": {"a": "1"}}
    made = await stage.cluster.apply(child, dry_run=False, force=False)
    await stage.project(special={GATEWAY: Facts("4be1d07", wrote=True)})
    before = await stage.live(GATEWAY)
    services = [id for id in stage.projection.ids if id.kind == "Service"]
    body = (await defined.get(definition(kind))).body
    await defined.delete(definition(kind))
    async with asyncio.timeout(60):
        while (await defined.get(definition(kind))).status != 404 or (await defined.get(where(stage, GATEWAY))).status == 200:
            await asyncio.sleep(0.05)
    await stage.projector.load()
    done = await stage.project(at=LATER)
    assert list(done.problems) == ["Service"]
    assert len(done.news) == 1
    assert (await stage.project(at=LATER)).news == ()
    fresh = {**body, "metadata": {"name": body["metadata"]["name"], "labels": body["metadata"]["labels"]}}
    assert (
        await defined.apply(
            definition(kind), {name: fresh[name] for name in ("apiVersion", "kind", "metadata", "spec")}, manager="fleetwright"
        )
    ).status == 201
    await served(defined, kind)
    async with asyncio.timeout(60):
        while (done := await stage.project(at=LATER)).problems:
            await asyncio.sleep(0.1)
    assert (await stage.live(GATEWAY)).body["status"] == before.body["status"]
    assert {id for id in await stage.all() if id.kind == "Service"} == set(services)
    config = await stage.cluster.read(ObjectId("", "ConfigMap", space, "child"))
    assert config is not None
    assert made.body["metadata"]["uid"] == config.uid  # type: ignore[union-attr]


async def test_what_is_no_longer_in_git_goes_and_what_others_made_stays(stage: Stage, defined: Api):
    await stage.project()
    hand = {
        "apiVersion": API_VERSION,
        "kind": "Image",
        "metadata": {"name": f"{stage.graph.environment.id}-hand"},
        "spec": {"from": {"image": "redis"}},
    }
    other = {**hand, "metadata": {"name": f"{stage.graph.environment.id}-other", "labels": {ENVIRONMENT_LABEL: "elsewhere"}}}
    for body in (hand, other):
        got = await defined.apply(path(TABLE["Image"], "", body["metadata"]["name"]), body, manager="kubectl")
        assert got.status == 201, got.body
    await stage.projector.load()
    fleet = stage.graph.fleet
    left = {ref: one for ref, one in fleet.resources.items() if ref != GATEWAY}
    smaller = replace(stage, graph=replace(stage.graph, fleet=replace(fleet, resources=left)))
    broken = replace(smaller, graph=replace(smaller.graph, fleet=replace(smaller.graph.fleet, broken=frozenset({Ref("Image", "broken")}))))
    assert (await broken.project()).deleted == 0
    waiting = await smaller.project(special={GATEWAY: Facts("4be1d07", health={ObjectId("", "Pod", "", "x"): Progressing("ends")})})
    assert waiting.deleted == 0
    assert await smaller.reason(GATEWAY) == "Removed"
    done = await smaller.project()
    assert done.deleted == 1
    assert [why.partition(" ")[0] for why in done.problems.values()] == [f"fleetwright.dev/Image/{hand['metadata']['name']}"]
    assert await stage.cluster.read(stage.id(GATEWAY)) is None
    for body in (hand, other):
        assert (await defined.delete(path(TABLE["Image"], "", body["metadata"]["name"]))).status == 200


async def test_a_custom_resource_that_another_environment_has_is_left_alone(stage: Stage, defined: Api):
    await stage.project()
    theirs = replace(stage.graph.environment, id="elsewhere")
    other = Stage.of(stage.cluster, replace(stage.graph, environment=theirs))
    await other.projector.load()
    before = await stage.versions()
    done = await other.project()
    assert (done.specs, done.statuses, done.deleted) == (0, 0, 0)
    assert done.problems.keys() == {str(id) for id in stage.projection.ids}
    assert await stage.versions() == before


async def test_kubectl_get_tells_at_a_glance(stage: Stage, defined: Api):
    ill = ObjectId("apps", "Deployment", stage.id(GATEWAY).namespace, "agent-gateway")
    await stage.project()
    await stage.project(
        at=LATER, whole=False, special={GATEWAY: Facts("5ce2e18", health={ill: Failed("its progress deadline is exceeded")})}
    )
    kind = TABLE["Service"]
    table = await table_of(defined, f"/apis/{API_VERSION}/namespaces/{ill.namespace}/{kind.plural}")
    heads = [column["name"] for column in table["columnDefinitions"]]
    rows = {row["cells"][0]: dict(zip(heads, row["cells"], strict=True)) for row in table["rows"]}
    sick = rows["agent-gateway"]
    assert (sick["Ready"], sick["Reason"]) == ("False", "Unhealthy")
    assert sick["Message"] == "Deployment agent-gateway: its progress deadline is exceeded"
    assert {(row["Ready"], row["Reason"]) for name, row in rows.items() if name != "agent-gateway"} <= {
        ("True", "Unverified"), ("True", "Held"), ("False", "Unplaced")
    }  # fmt: skip
    for one in KINDS:
        table = await table_of(defined, f"/apis/{API_VERSION}/{one.plural}?labelSelector={ENVIRONMENT_LABEL}={stage.graph.environment.id}")
        ready = [column["name"] for column in table["columnDefinitions"]].index("Ready")
        assert table["rows"]
        assert all(row["cells"][ready] in ("True", "False") for row in table["rows"])


async def test_conditions_are_of_the_generation_that_kubectl_waits_for(stage: Stage):
    await stage.project()
    spec = dict(stage.graph.fleet.resources[TENANT].document.value)
    document = replace(stage.graph.fleet.resources[TENANT].document, value={**spec, "spec": {**spec["spec"], "features": ["workers"]}})
    edited = {**stage.graph.fleet.resources, TENANT: replace(stage.graph.fleet.resources[TENANT], document=document)}
    stage.graph = replace(stage.graph, fleet=replace(stage.graph.fleet, resources=edited))
    stage.revision = "5ce2e18"
    done = await stage.project(at=LATER)
    assert (done.specs, done.statuses) == (1, 1)
    live = await stage.live(TENANT)
    assert live.body["metadata"]["generation"] == live.body["status"]["observedGeneration"] == 2
    after = await stage.standing(TENANT)
    assert after.revision == "5ce2e18"
    assert (await stage.standing(GATEWAY)).revision == "4be1d07"
    assert after.conditions[0].last_transition_time == AT


async def test_the_operators_own_rights_are_enough(installed: Api, stage: Stage, cluster: Server):
    operator = KubernetesCluster(access(cluster, await token(installed, OPERATOR)), acting=acting)
    here = Stage.of(operator, stage.graph)
    done = await here.project()
    assert (done.problems, done.specs) == ({}, len(here.projection.ids))
    assert (await installed.merge(where(here, GATEWAY), {"spec": {"command": ["sleep"]}})).status == 200
    assert (await installed.merge(f"{where(here, GATEWAY)}/status", {"status": {"digest": "forged"}})).status == 200
    await here.projector.load()
    done = await here.project(at=LATER)
    assert (done.problems, done.specs, done.statuses) == ({}, 1, 1)
    live = await here.live(GATEWAY)
    assert "command" not in live.body["spec"]
    assert "digest" not in live.body["status"]
    fleet = here.graph.fleet
    here.graph = replace(here.graph, fleet=replace(fleet, resources={}))
    done = await here.project()
    assert (done.problems, done.deleted) == ({}, len(stage.projection.ids))
    await operator.close()


async def test_a_watch_shows_hands_and_never_our_own_writes(stage: Stage, defined: Api):
    drift: asyncio.Queue[ObjectId] = asyncio.Queue()

    async def follow() -> None:
        async for event in stage.cluster.watch({}, stage.projector.selection):
            if event.observed is not None:
                glance = (stage.projector.gone if event.kind is EventKind.GONE else stage.projector.seen)(event.observed)
                if glance.is_drift:
                    drift.put_nowait(glance.id)

    following = asyncio.create_task(follow())
    try:
        await stage.project()
        await stage.project(at=LATER, special={ref: Facts("5ce2e18", failures=("no",)) for ref in stage.projection.ids.values()})
        for ref, change in ((GATEWAY, {"spec": {"replicas": 9}}), (TENANT, {"spec": {"state": "suspended"}})):
            assert (await defined.merge(where(stage, ref), change)).status == 200
            assert await asyncio.wait_for(drift.get(), 20) == stage.id(ref), "the first drift is of a hand"
            await stage.project(at=LATER, whole=False, special={ref: Facts("5ce2e18", failures=("no",))})
        await stage.cluster.delete(await stage.live(GATEWAY))
        while await asyncio.wait_for(drift.get(), 20) != stage.id(GATEWAY):
            pass
        await stage.project(at=LATER, whole=False, special={GATEWAY: Facts("5ce2e18", failures=("no",))})
        body = stage.projection.body(GATEWAY)
        assert body is not None
        assert (await stage.live(GATEWAY)).body["spec"] == body["spec"]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
