"""What an apply does, in the order and under the guards that the design promises."""

from __future__ import annotations

import pytest

from reconciler.adapters.memory.cluster import Request
from reconciler.core.compare import compare
from reconciler.core.inventory import is_inventory
from reconciler.core.plan import Revision
from reconciler.core.render import render
from reconciler.flow.planning import EnvironmentMoved
from reconciler.kinds import KINDS
from reconciler.model.answers import Refused
from reconciler.model.plan import Block, Create, Delete, Update, step_id
from reconciler.model.result import Ending, Status
from tests.fleets import FLEET, Repo, service, tenant
from tests.flow.conftest import Person, deployment


async def test_what_is_declared_is_there_and_the_next_plan_is_empty(person: Person) -> None:
    repo = Repo.small()
    result = await person.apply(repo)
    assert result.ending is Ending.COMPLETED, result.message
    assert set(await person.live()) == {manifest.id for manifest in render(repo.graph(), KINDS)}
    planned = await person.plan(repo)
    assert planned.plan.is_empty


async def test_a_second_apply_writes_nothing(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    before = person.cluster.writes
    result = await person.apply(repo)
    assert result.ending is Ending.COMPLETED
    assert person.cluster.writes == before


async def test_a_conflict_that_is_nobodys_is_tried_again(person: Person) -> None:
    """As where a quota's counters move while its namespace fills: the API server gives up after three tries of its own."""
    planned = await person.plan(Repo.small())
    moved = Refused(409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "tenant": the object has been modified')
    hits: list[Request] = []

    def conflict(request: Request) -> Refused | None:
        if request != Request("apply", deployment("s1")) or len(hits) == 3:
            return None
        hits.append(request)
        return moved

    person.cluster.before = conflict
    result = await person.carry_out(planned)
    assert result.ending is Ending.COMPLETED, result.message
    assert len(hits) == 3


async def test_the_inventory_says_what_is_live(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    world = await person.world(repo)
    assert set(world.inventory.entries) == set(await person.live())
    assert all(entry.uid == world.objects[id].uid for id, entry in world.inventory.entries.items())


async def test_an_edited_service_changes_only_its_own_objects(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra="  env: {LOG_LEVEL: debug}\n"))
    planned = await person.plan(repo)
    assert [step_id(step) for step in planned.plan.steps] == [deployment("s1")]


async def test_a_commit_that_changes_nothing_writes_nothing(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    repo = repo.having("specs/services/acme/s1.yaml", "# a comment\n" + service("s1"))
    before = person.cluster.writes
    await person.apply(repo)
    assert person.cluster.writes == before


async def test_what_somebody_deleted_comes_back_and_nothing_else_is_touched(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.remove(deployment("s1"))
    planned = await person.plan(repo)
    assert [type(step) for step in planned.plan.steps] == [Create]
    result = await person.apply(repo)
    assert [outcome.id for outcome in result.outcomes] == [deployment("s1")]


async def test_a_hand_edit_of_our_field_is_put_back(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(
        deployment("s1"), "kubectl-edit", lambda body: body["spec"]["template"]["spec"]["containers"][0].update(image="evil:1")
    )
    planned = await person.plan(repo)
    (step,) = planned.plan.steps
    assert isinstance(step, Update)
    assert "kubectl-edit" in step.because[-1]
    await person.apply(repo)
    assert (await person.plan(repo)).plan.is_empty
    live = (await person.live())[deployment("s1")]
    assert "evil" not in str(live.body["spec"])


async def test_a_field_that_another_manager_took_is_named_with_that_manager(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kubectl", lambda body: body["spec"].update(replicas=3), subresource="scale")
    (step,) = (await person.plan(repo)).plan.steps
    assert step.because == ("it is not as it was applied: changed by kubectl",)


async def test_fields_that_a_person_added_are_stripped(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kubectl-edit", lambda body: body["spec"].update(paused=True))
    await person.apply(repo)
    assert "paused" not in (await person.live())[deployment("s1")].body["spec"]


async def test_fields_of_another_controller_are_respected(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "autoscaler", lambda body: body["metadata"]["annotations"].update({"autoscaler/last": "3"}))
    assert (await person.plan(repo)).plan.is_empty


async def test_what_is_no_longer_declared_is_deleted(person: Person) -> None:
    repo = Repo.small(services=20)
    await person.apply(repo)
    repo = repo.without(["specs/services/acme/s7.yaml"])
    result = await person.apply(repo)
    assert result.ending is Ending.COMPLETED, result.message
    assert set(await person.live()) == {manifest.id for manifest in render(repo.graph(), KINDS)}


async def test_too_many_deletions_are_held_and_everything_else_goes_on(person: Person) -> None:
    repo = Repo.small(services=20)
    await person.apply(repo)
    gone = [f"specs/services/acme/s{number}.yaml" for number in range(8)]
    repo = repo.without(gone).having("specs/services/acme/s9.yaml", service("s9", extra="  env: {A: b}\n"))
    result = await person.apply(repo)
    assert result.ending is Ending.HELD
    assert deployment("s9") in {outcome.id for outcome in result.outcomes if outcome.status is Status.DONE}
    assert deployment("s0") in await person.live()
    number = sum(isinstance(step, Delete) for step in (await person.plan(repo)).plan.steps)
    assert f"--allow-delete={number}" in result.message
    assert (await person.apply(repo, allow_delete=number - 1)).ending is Ending.HELD
    assert (await person.apply(repo, allow_delete=number)).ending is Ending.COMPLETED
    assert set(await person.live()) == {manifest.id for manifest in render(repo.graph(), KINDS)}


async def test_a_foreign_object_refuses_the_whole_apply_before_any_write(person: Person) -> None:
    repo = Repo.small()
    person.store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme", "labels": {"team": "x"}}}, "somebody")
    before = person.cluster.writes
    result = await person.apply(repo)
    assert result.ending is Ending.REFUSED
    assert "somebody" in result.message
    assert person.cluster.writes == before
    assert (await person.apply(repo, adopt=True)).ending is Ending.COMPLETED


async def test_a_forged_label_makes_nothing_ours(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    labels = {"fleetwright.dev/environment": "test-test", "fleetwright.dev/kind": "Service", "fleetwright.dev/name": "x"}
    forged = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "forged", "namespace": "acme", "labels": labels}}
    person.store.put(forged, "mallory")
    assert (await person.plan(repo)).plan.is_empty


async def test_a_broken_spec_keeps_its_service_and_turns_prune_off(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    repo = repo.having("specs/services/acme/s1.yaml", "spec: [").without(["specs/services/acme/s2.yaml"])
    planned = await person.plan(repo)
    assert planned.plan.is_empty
    assert any(note.kind == "kept" and note.resource.name == "s1" for note in planned.plan.notes)


async def test_another_writer_holds_the_lease(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    lease = next(observed for observed in person.store.select({}, [("coordination.k8s.io", "Lease")]))
    spec = {**lease.body["spec"], "holderIdentity": "other", "renewTime": person.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    person.store.put({**lease.body, "spec": spec}, "other")
    person.store.remove(deployment("s0"))
    result = await person.apply(repo, settings={"wait_for_lease": False})
    assert result.ending is Ending.LOCKED
    assert deployment("s0") not in await person.live()


async def test_an_immutable_change_is_a_block_with_its_reason(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    volume = "  volumes: {data: {path: /data, size: 1Gi, storageClass: fast}}\n"
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra=volume))
    assert (await person.apply(repo)).ending is Ending.COMPLETED
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra=volume.replace("fast", "slow")))
    planned = await person.plan(repo)
    blocks = [step for step in planned.plan.steps if isinstance(step, Block)]
    assert blocks
    assert "immutable" in blocks[0].reason


async def test_a_tenant_whose_namespace_waits_for_a_person_keeps_what_governs_it(person: Person) -> None:
    repo = Repo.small(services=20).having("specs/tenants/gone.yaml", tenant("gone"))
    await person.apply(repo)
    repo = repo.without(["specs/tenants/gone.yaml"]).having("specs/services/acme/s9.yaml", service("s9", extra="  env: {A: b}\n"))
    before = {id for id in await person.live() if "gone" in (id.namespace, id.name)}
    assert {"Namespace", "NetworkPolicy"} <= {id.kind for id in before}
    result = await person.apply(repo)
    assert result.ending is Ending.HELD
    assert [outcome.id for outcome in result.outcomes if outcome.status is Status.DONE] == [deployment("s9")]
    assert f"--allow-delete={len(before)}" in result.message
    assert (await person.apply(repo, allow_delete=len(before))).ending is Ending.COMPLETED
    assert not before & set(await person.live())


async def test_what_is_left_after_some_deletions_is_the_number_to_allow(person: Person) -> None:
    volume = "  volumes: {data: {path: /data, size: 1Gi}}\n"
    repo = Repo.small(services=20).having("specs/services/acme/s3.yaml", service("s3", extra=volume))
    await person.apply(repo)
    repo = repo.without(["specs/services/acme/s3.yaml"])
    held = await person.apply(repo)
    assert held.ending is Ending.HELD
    assert "--allow-delete=1" in held.message
    assert (await person.apply(repo, allow_delete=1)).ending is Ending.COMPLETED


async def test_an_inventory_that_somebody_spoiled_lets_nothing_go_unasked(person: Person) -> None:
    repo = Repo.small(services=20)
    await person.apply(repo)
    shards = [live for live in person.store.select({}, [("", "ConfigMap")]) if is_inventory(live)]
    assert shards
    for live in shards:
        metadata = live.body["metadata"]
        spoiled = {**metadata["annotations"], "fleetwright.dev/fence": "x", "fleetwright.dev/guards": "{"}
        person.store.put({**live.body, "metadata": {**metadata, "annotations": spoiled}}, "mallory")
    repo = repo.without(["specs/services/acme/s7.yaml"])
    assert (await person.apply(repo)).ending is Ending.HELD
    assert deployment("s7") in await person.live()


async def test_an_object_whose_label_somebody_took_away_is_drift(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kubectl-label", lambda body: body["metadata"].pop("labels"))
    assert deployment("s1") not in await person.live()
    (step,) = (await person.plan(repo)).plan.steps
    assert isinstance(step, Update)
    assert (await person.apply(repo)).ending is Ending.COMPLETED
    assert deployment("s1") in await person.live()
    assert (await person.plan(repo)).plan.is_empty


async def test_a_namesake_of_what_somebody_deleted_is_a_stranger(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    body = person.store.get(deployment("s1")).body
    person.store.remove(deployment("s1"))
    mine = {**body, "metadata": {"name": "s1", "namespace": "acme"}}
    person.store.put(mine, "somebody")
    (step,) = (await person.plan(repo)).plan.steps
    assert isinstance(step, Block)
    assert step.conflict


async def test_an_environment_whose_id_changed_is_refused(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    before = person.cluster.writes
    renamed = repo.having("fleet.yaml", FLEET.replace("    test:\n", "    test:\n      id: other\n"))
    with pytest.raises(EnvironmentMoved) as refused:
        await person.plan(renamed, adopt=True)
    assert refused.value.finding.code == "ENV003"
    assert str(refused.value.finding.place) == "fleet.yaml:14:11"
    assert "write `id: test-test`" in refused.value.finding.fix
    assert person.cluster.writes == before
    kept = repo.having(
        "fleet.yaml", FLEET.replace("name: test}", "name: renamed}").replace("    test:\n", "    test:\n      id: test-test\n")
    )
    assert (await person.plan(kept)).plan.is_empty


def test_a_commit_that_changes_the_id_is_found_without_a_target() -> None:
    repo = Repo.small()
    renamed = repo.having("fleet.yaml", FLEET.replace("    test:\n", "    test:\n      id: other\n"))
    sides = [(one.graph(), render(one.graph(), KINDS)) for one in (repo, renamed)]
    assert "ENV003" in [finding.code for finding in compare(*sides, KINDS, Revision("r")).findings]


async def test_an_autoscaler_takes_over_the_replicas_that_there_are(person: Person) -> None:
    repo = Repo.small().having("specs/services/acme/s1.yaml", service("s1", extra="  replicas: 4\n"))
    await person.apply(repo)
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra="  autoscale: {min: 2, max: 6}\n"))
    planned = await person.plan(repo)
    assert deployment("s1") not in map(step_id, planned.plan.steps)
    await person.apply(repo)
    assert person.store.get(deployment("s1")).body["spec"]["replicas"] == 4
    person.store.edit(deployment("s1"), "kube-controller-manager", lambda body: body["spec"].update(replicas=5))
    assert (await person.plan(repo)).plan.is_empty


async def test_a_number_of_replicas_is_written_after_the_autoscaler_is_gone(person: Person) -> None:
    repo = Repo.small().having("specs/services/acme/s1.yaml", service("s1", extra="  autoscale: {min: 2, max: 6}\n"))
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kube-controller-manager", lambda body: body["spec"].update(replicas=5))
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra="  replicas: 3\n"))
    result = await person.apply(repo)
    order = [outcome.id.kind for outcome in result.outcomes]
    assert order.index("HorizontalPodAutoscaler") < order.index("Deployment")
    assert person.store.get(deployment("s1")).body["spec"]["replicas"] == 3
    assert (await person.plan(repo)).plan.is_empty
