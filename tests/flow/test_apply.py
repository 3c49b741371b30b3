"""What an apply does, in the order and under the guards that the design promises."""

from __future__ import annotations

from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.plan import Block, Create, Delete, Update, step_id
from reconciler.model.result import Ending, Status
from tests.fleets import Repo, service
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
