"""An apply that does not ask about new objects first: fewer requests, and still nothing of anybody else's is touched."""

from __future__ import annotations

import copy

from reconciler.adapters.memory.cluster import Request
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.answers import Refused
from reconciler.model.plan import Block, Create
from reconciler.model.result import Ending, Status
from tests.fleets import Repo
from tests.flow.conftest import Person, deployment


async def test_new_objects_are_written_without_a_dry_run_of_each(person: Person) -> None:
    repo = Repo.small()
    result = await person.apply(repo, preflight=False)
    assert result.ending is Ending.COMPLETED, result.message
    assert "preflight" not in person.heard.phases
    assert {request.id.kind for request in person.cluster.log if request.verb == "preview" and request.id} == {"Namespace"}
    assert set(await person.live()) == {manifest.id for manifest in render(repo.graph(), KINDS)}
    assert (await person.plan(repo)).plan.is_empty


async def test_the_plan_is_the_same_one(person: Person) -> None:
    repo = Repo.small()
    assert (await person.plan(repo, preflight=False)).plan == (await person.plan(repo)).plan


async def test_what_the_server_refuses_is_found_when_it_is_written_and_the_next_apply_goes_on(person: Person) -> None:
    repo = Repo.small()
    person.cluster.before = lambda request: (
        Refused(422, "Invalid", "not like this") if request.id == deployment("s1") and request.verb in ("apply", "preview") else None
    )
    result = await person.apply(repo, preflight=False)
    assert result.ending is Ending.FAILED
    assert "not like this" in result.message
    assert [outcome.id for outcome in result.outcomes if outcome.status is Status.FAILED] == [deployment("s1")]
    assert result.count(Status.DONE) > 1
    person.cluster.before = lambda _request: None
    assert (await person.apply(repo, preflight=False)).ending is Ending.COMPLETED
    assert (await person.plan(repo)).plan.is_empty


async def test_a_stranger_in_a_namespace_that_is_there_refuses_the_apply_before_any_write(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    theirs = person.store.get(deployment("s1"))
    assert theirs is not None
    person.store.remove(deployment("s1"))
    body = {key: theirs.body[key] for key in ("apiVersion", "kind", "spec")}
    person.store.put({**body, "metadata": {"name": "s1", "namespace": "acme"}}, "somebody")
    planned = await person.plan(repo, preflight=False)
    (step,) = planned.plan.steps
    assert isinstance(step, Block)
    assert "somebody" in step.reason
    before = person.cluster.writes
    assert (await person.carry_out(planned)).ending is Ending.REFUSED
    assert person.cluster.writes == before


async def test_a_stranger_that_comes_in_between_is_not_forced(person: Person) -> None:
    repo = Repo.small()
    planned = await person.plan(repo, preflight=False)
    (wanted,) = (step.manifest for step in planned.plan.of(Create) if step.manifest.id == deployment("s1"))
    spec = copy.deepcopy(wanted.body["spec"])
    spec["template"]["spec"]["containers"][0]["image"] = "theirs:1"
    metadata = {"name": "s1", "namespace": "acme"}

    def come_first(request: Request) -> None:
        if request == Request("apply", deployment("s1")) and person.store.get(deployment("s1")) is None:
            person.store.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}, "somebody")

    person.cluster.before = come_first
    result = await person.carry_out(planned)
    assert result.ending is Ending.FAILED
    (failed,) = (outcome for outcome in result.outcomes if outcome.status is Status.FAILED)
    assert failed.id == deployment("s1")
    assert failed.reason.startswith("409 Conflict")
    live = person.store.get(deployment("s1"))
    assert live is not None
    assert live.body["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs:1"
    assert "labels" not in live.body["metadata"]


async def test_what_is_ours_is_asked_about_all_the_same(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kubectl-edit", lambda body: body["spec"].update(replicas=9))
    planned = await person.plan(repo, preflight=False)
    assert planned.plan == (await person.plan(repo)).plan
    assert not planned.plan.is_empty


async def test_an_object_whose_label_somebody_took_away_is_still_drift(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    person.store.edit(deployment("s1"), "kubectl-label", lambda body: body["metadata"].pop("labels"))
    assert (await person.plan(repo, preflight=False)).plan == (await person.plan(repo)).plan
    assert (await person.apply(repo, preflight=False)).ending is Ending.COMPLETED
    assert deployment("s1") in await person.live()
