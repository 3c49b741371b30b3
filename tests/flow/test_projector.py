"""The projector against a target in memory: refusals, races, lost answers, and what it does not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.adapters.memory.cluster import Request
from reconciler.core.facts import Facts
from reconciler.core.projecting import projection
from reconciler.flow.fan import Stop
from reconciler.flow.projector import Projector
from reconciler.kinds import KINDS
from reconciler.model.findings import ordered
from reconciler.model.graph import Graph
from reconciler.model.manifests import Body, Observed
from reconciler.model.refs import Ref
from reconciler.ports import Accepted, Answer, Refused, Unreachable
from tests.fleets import Repo, service, tenant
from tests.operator.projecting import LATER, Stage

S0, S1, TENANT, IMAGE_APP = Ref("Service", "s0", "acme"), Ref("Service", "s1", "acme"), Ref("Tenant", "acme"), Ref("Image", "app")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}}
INVALID = Refused(422, "Invalid", "spec.wave: Invalid value")


def graph(repo: Repo) -> Graph:
    """Its graph with every finding in it."""
    made = repo.graph()
    return replace(made, findings=ordered((*repo.understood().findings, *made.findings)))


async def stage(repo: Repo | None = None, cluster: MemoryCluster | None = None) -> Stage:
    """A small fleet, nothing projected yet."""
    cluster = cluster or MemoryCluster(MemoryStore())
    cluster.store.apply(NAMESPACE, "other")
    return Stage.of(cluster, graph(repo or Repo.small(services=2)))


def memory(stage: Stage) -> MemoryCluster:
    assert isinstance(stage.cluster, MemoryCluster)
    return stage.cluster


def person(stage: Stage, ref: Ref, mutate: Any, subresource: str = "", manager: str = "kubectl-edit") -> Observed:
    """What somebody does to a custom resource."""
    answer = memory(stage).store.edit(stage.id(ref), manager, mutate, subresource)
    assert isinstance(answer, Accepted), answer
    return Observed(stage.id(ref), answer.body["metadata"]["uid"], answer.body["metadata"]["resourceVersion"], answer.body)


async def test_nothing_is_written_when_nothing_changed():
    here = await stage()
    first = await here.project()
    assert (first.specs, first.statuses, first.deleted) == (5, 5, 0)
    reasons = {("Service", "Unverified"): 2, ("Image", "Unverified"): 1, ("Tenant", "Healthy"): 1, ("PolicyPack", "Healthy"): 1}
    assert here.projector.ready() == (await here.restarted()).projector.ready() == reasons
    revision, requests = memory(here).store.revision, memory(here).requests.total()
    again = await here.project(at=LATER)
    assert (again.specs, again.statuses, again.deleted) == (0, 0, 0)
    assert (memory(here).store.revision, memory(here).requests.total()) == (revision, requests)


async def test_a_pass_over_one_looks_at_no_other():
    here = await stage()
    await here.project()
    person(here, S1, lambda body: body["spec"].update(replicas=5))
    memory(here).log.clear()
    done = await here.project(at=LATER, whole=False, special={S0: Facts(here.revision, failures=("no",))})
    assert (done.specs, done.statuses) == (0, 1)
    assert [request.id for request in memory(here).log] == [here.id(S0)]
    assert [(one.ref, one.namespace, one.type, one.status) for one in done.changes] == [
        (S0, "acme", "Ready", "False"), (S0, "acme", "Stalled", "True")
    ]  # fmt: skip


async def test_a_broken_file_keeps_the_spec_and_changes_the_status():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    before = await here.live(S0)
    here.graph = graph(repo.having("specs/services/acme/s0.yaml", "spec: {}\n").without(["specs/services/acme/s1.yaml"]))
    done = await here.project(at=LATER)
    assert (done.specs, done.statuses, done.deleted) == (0, 1, 0)
    after = await here.live(S0)
    assert after.body["spec"] == before.body["spec"]
    assert await here.reason(S0) == "BrokenSpec"
    assert await here.cluster.read(here.id(S1)) is not None
    here.graph = graph(repo.without(["specs/services/acme/s1.yaml"]))
    assert (await here.project(at=LATER)).deleted == 1
    assert await here.cluster.read(here.id(S1)) is None


async def test_a_broken_file_that_never_had_a_custom_resource_has_none():
    here = await stage(Repo.small(services=2).having("specs/services/acme/s0.yaml", "spec: {}\n"))
    done = await here.project()
    assert (done.problems, done.specs) == ({}, 4)
    assert await here.cluster.read(here.id(S0)) is None


async def test_a_namespace_that_is_not_there_yet_is_no_error_of_the_others():
    here = await stage(
        Repo.small(services=1).having("specs/tenants/late.yaml", tenant("late")).having("specs/services/late/a.yaml", service("a"))
    )
    done = await here.project()
    late = here.id(Ref("Service", "a", "late"))
    assert (done.specs, done.problems.keys(), len(done.news)) == (5, {str(late)}, 1)
    assert 'namespaces "late" not found' in done.news[0]
    assert (await here.project()).news == ()
    memory(here).store.apply({**NAMESPACE, "metadata": {"name": "late"}}, "other")
    done = await here.project()
    assert (done.specs, done.problems) == (1, {})


async def test_a_kind_that_is_not_served_is_told_once_and_asked_for_again():
    here = await stage(Repo.small(services=200))
    gone = Refused(404, "NotFound", "the server could not find the requested resource")
    cluster = memory(here)
    cluster.before = lambda request: gone if request.id is not None and request.id[:2] == ("fleetwright.dev", "Service") else None
    done = await here.project()
    assert (done.problems.keys(), len(done.news), done.specs) == ({"Service"}, 1, 3)
    assert cluster.requests["apply"] <= 53
    assert (await here.project()).news == ()
    cluster.before = lambda _: None
    done = await here.project()
    assert (done.problems, done.specs) == ({}, 200)


async def test_what_a_server_refuses_is_told_once_and_not_sent_again_until_something_changes():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    cluster = memory(here)
    cluster.before = lambda request: INVALID if request == Request("apply", here.id(S0)) else None
    here.graph = graph(repo.having("specs/services/acme/s0.yaml", service("s0", wave=10)))
    done = await here.project(at=LATER, special={S0: Facts("r2", failures=("no",))})
    assert (done.specs, done.statuses) == (0, 1), "the status is told all the same"
    assert "422 Invalid" in done.news[0]
    sent = cluster.requests["apply"]
    again = await here.project(at=LATER, special={S0: Facts("r2", failures=("no",))})
    assert (cluster.requests["apply"], again.news, again.problems) == (sent, (), done.problems)
    cluster.before = lambda _: None
    assert (await here.project(at=LATER, special={S0: Facts("r2", failures=("no",))})).specs == 0
    await here.projector.load()
    done = await here.project(at=LATER)
    assert (done.specs, done.problems) == (1, {})


async def test_a_status_that_is_refused_is_not_sent_again_until_it_is_another():
    here = await stage()
    cluster = memory(here)
    cluster.before = lambda request: INVALID if request == Request("status", here.id(S0)) else None
    done = await here.project()
    assert (done.statuses, done.problems.keys()) == (4, {str(here.id(S0))})
    sent = cluster.requests["status"]
    assert (await here.project()).news == ()
    assert cluster.requests["status"] == sent
    cluster.before = lambda _: None
    done = await here.project(special={S0: Facts(here.revision, failures=("no",))})
    assert (done.statuses, done.problems) == (1, {})


class Meddling(MemoryCluster):
    """A target with a webhook that has its own mind about specs and statuses."""

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        if body["kind"] == "Service":
            body = {**body, "spec": {**body["spec"], "wave": 7}}
        return await super().apply(body, dry_run=dry_run, force=force, live=live)

    async def apply_status(self, body: Body) -> Answer:
        return await super().apply_status({**body, "status": {**body["status"], "revision": "mine"}})


async def test_a_webhook_that_rewrites_our_fields_is_a_steady_state():
    here = await stage(cluster=Meddling(MemoryStore()))
    await here.project()
    revision = memory(here).store.revision
    done = await here.project(at=LATER)
    assert (done.specs, done.statuses, memory(here).store.revision) == (0, 0, revision)
    assert not any(glance.is_drift for glance in await here.sees())


async def test_hand_edits_of_spec_labels_and_status_are_put_back():
    here = await stage()
    await here.project()
    before = await here.live(S0)

    def meddle(body: dict[str, Any]) -> None:
        body["spec"].update(replicas=9, image="other")
        body["metadata"]["labels"].pop("fleetwright.dev/environment")
        body["metadata"]["annotations"] |= {"fleetwright.dev/paused": "true", "note": "mine"}

    person(here, S0, meddle)
    seen = person(here, S0, lambda body: body["status"].update(image="forged", digest="forged"), "status", "curl")
    glance = here.projector.seen(seen)
    assert (glance.is_drift, glance.is_command) == (True, True)
    assert here.projector.commands() == {here.id(S0): {"fleetwright.dev/paused": "true"}}
    await here.project(at=LATER)
    after = await here.live(S0)
    assert after.body["spec"] == before.body["spec"]
    assert after.body["metadata"]["labels"] == before.body["metadata"]["labels"]
    expected = {**before.body["status"], "observedGeneration": after.body["metadata"]["generation"]}
    assert after.body["status"] == expected
    assert {"fleetwright.dev/paused": "true", "note": "mine"}.items() <= after.body["metadata"]["annotations"].items()
    assert (await here.standing(S0)).revision == "4be1d07"


async def test_a_hand_edit_while_nobody_looked_is_no_change_of_git():
    here = await stage()
    await here.project(special={S0: Facts("4be1d07", wrote=True)})
    person(here, S0, lambda body: body["spec"].update(replicas=9))
    here.revision = "5ce2e18"
    here = await here.restarted()
    await here.project(at=LATER)
    assert (await here.standing(S0)).revision == "4be1d07"
    assert "replicas" not in (await here.live(S0)).body["spec"]


async def test_a_commit_while_nobody_looked_is_the_last_change():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    here.revision, here.graph = "5ce2e18", graph(repo.having("specs/services/acme/s0.yaml", service("s0", wave=10)))
    here = await here.restarted()
    await here.project(at=LATER)
    assert (await here.standing(S0)).revision == "5ce2e18"
    assert (await here.standing(S1)).revision == "4be1d07"


async def test_events_that_are_older_than_our_own_writes_are_no_drift():
    here = await stage()
    await here.project()
    old = await here.live(S0)
    await here.project(at=LATER, special={S0: Facts(here.revision, failures=("no",))})
    assert not here.projector.seen(old).is_drift
    revision = memory(here).store.revision
    await here.project(at=LATER, special={S0: Facts(here.revision, failures=("no",))})
    assert memory(here).store.revision == revision


async def test_our_own_writes_are_no_drift_even_when_a_watch_is_faster_than_the_answer():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    here.graph = graph(repo.having("specs/services/acme/s0.yaml", service("s0", wave=10)))
    glances = []

    def shown(request: Request) -> None:
        if request.id == here.id(S0):
            glances.append(here.projector.seen(memory(here).store.get(request.id)))

    memory(here).after = shown
    await here.project(at=LATER, special={S0: Facts("r2", failures=("no",))})
    assert [glance.is_drift for glance in glances] == [False, False]


@pytest.mark.parametrize("verb", ["apply", "status"])
@pytest.mark.parametrize("deleted", [False, True])
async def test_what_a_watch_shows_before_our_answer_comes_is_not_forgotten(verb: str, deleted: bool):
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    here.graph = graph(repo.having("specs/services/acme/s0.yaml", service("s0", wave=10)))

    def meddle(request: Request) -> None:
        if request != Request(verb, here.id(S0)):
            return
        memory(here).after = lambda _: None
        if deleted:
            last = memory(here).store.get(here.id(S0))
            assert last is not None
            memory(here).store.remove(here.id(S0))
            here.projector.gone(replace(last, resource_version=str(memory(here).store.revision)))
        else:
            seen = person(here, S0, lambda body: body["spec"].update(replicas=9))
            seen = person(here, S0, lambda body: body["status"].update(digest="forged"), "status")
            assert here.projector.seen(seen).is_drift

    memory(here).after = meddle
    for _ in range(2):
        await here.project(at=LATER, special={S0: Facts("r2", failures=("no",))})
    live = await here.live(S0)
    assert "replicas" not in live.body["spec"]
    assert "digest" not in live.body["status"]
    assert await here.reason(S0) == "Refused"


async def test_a_late_event_of_an_earlier_namesake_is_not_a_loss():
    here = await stage()
    await here.project()
    old = await here.live(S0)
    memory(here).store.remove(here.id(S0))
    assert here.projector.gone(old).is_drift
    await here.project(at=LATER)
    assert not here.projector.gone(old).is_drift
    assert (await here.project(at=LATER)).specs == 0


async def test_what_was_deleted_between_its_spec_and_its_status_is_made_again():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project(special={S0: Facts("4be1d07", wrote=True)})
    memory(here).store.remove(here.id(S0))
    done = await here.project(at=LATER, special={S0: Facts(here.revision, failures=("no",))})
    assert (done.specs, done.statuses, done.problems) == (1, 1, {})
    standing = await here.standing(S0)
    assert standing.last_change is not None
    assert (standing.conditions[0].reason, standing.last_change.revision) == ("Refused", "4be1d07")


async def test_a_status_that_stood_already_comes_back_with_its_custom_resource():
    here = await stage()
    await here.project()
    here = await here.restarted()
    await here.project(at=LATER)
    before = await here.live(S0)
    memory(here).store.remove(here.id(S0))
    await here.projector.load()
    await here.project(at=LATER)
    assert (await here.live(S0)).body["status"] == before.body["status"]


async def test_a_version_that_moved_is_looked_at_again():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    person(here, S0, lambda body: body["spec"].update(replicas=9) or body["metadata"]["annotations"].update(note="a"))
    await here.projector.load()
    await here.project(at=LATER)  # takes the note over with the field
    person(here, S0, lambda body: body["metadata"]["annotations"].update(note="b"), manager="kubectl-annotate")
    here.graph = graph(repo.having("specs/services/acme/s0.yaml", service("s0", wave=10)))
    done = await here.project(at=LATER)
    assert (done.specs, done.problems) == (1, {})
    live = await here.live(S0)
    assert (live.body["spec"]["wave"], live.body["metadata"]["annotations"]["note"]) == (10, "b")


async def test_a_custom_resource_made_by_hand_is_left_alone_even_where_git_has_one():
    here = await stage()
    body = here.projection.body(S0)
    assert body is not None
    by_hand = {**body, "metadata": {"name": "s0", "namespace": "acme"}, "spec": {**body["spec"], "wave": 3}}
    made = memory(here).store.apply(by_hand, "kubectl")
    done = await here.project()
    assert str(here.id(S0)) in done.problems
    assert (await here.live(S0)).body == made.body  # type: ignore[union-attr]
    assert len((await here.project()).problems) == 1


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("verb", ["apply", "status", "delete", "hand-over"])
async def test_a_pass_that_was_cut_off_is_finished_by_the_next(verb: str, late: bool):
    repo = Repo.small(services=3)
    here = await stage(repo)
    await here.project()
    person(here, S0, lambda body: body["spec"].update(replicas=9))
    await here.projector.load()
    here.graph = graph(repo.having("specs/services/acme/s1.yaml", service("s1", wave=10)).without(["specs/services/acme/s2.yaml"]))
    memory(here).fail_next(Unreachable("gone", ambiguous=True), verb, late=late)
    with pytest.raises(Unreachable):
        await here.project(at=LATER)
    await here.projector.load()
    assert (await here.project(at=LATER)).problems == {}
    await settled(here)


async def settled(here: Stage) -> None:
    """All is as git says, and stays so."""
    live = await here.all()
    assert live.keys() == here.projection.ids.keys()
    for id, ref in here.projection.ids.items():
        body = here.projection.body(ref)
        assert body is not None
        assert live[id].body["spec"] == body["spec"]
        assert live[id].body["status"]["observedGeneration"] == live[id].body["metadata"]["generation"]
        assert "digest" not in live[id].body["status"], "nothing here has a digest"
    revision = memory(here).store.revision
    done = await here.project(at=LATER)
    assert (done.specs, done.statuses, done.deleted, memory(here).store.revision) == (0, 0, 0, revision)


async def test_a_pass_that_is_stopped_deletes_nothing():
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    stop = Stop()
    stop.set("a newer revision")
    smaller = projection(graph(repo.without(["specs/services/acme/s1.yaml"])), KINDS)
    done = await here.projector.project(smaller, {}, LATER, stop=stop)
    assert done.deleted == 0
    assert await here.cluster.read(here.id(S1)) is not None


EDITS: Mapping[str, Any] = {
    "spec": lambda body: body["spec"].update(replicas=9),
    "field": lambda body: body["spec"].pop("wave", None),
    "label": lambda body: body["metadata"]["labels"].update({"fleetwright.dev/name": "x"}),
    "pause": lambda body: body["metadata"].setdefault("annotations", {}).update({"fleetwright.dev/paused": "true"}),
    "source": lambda body: body["metadata"]["annotations"].pop("fleetwright.dev/source", None),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*EDITS, "status", "remove"]), st.sampled_from([S0, S1, TENANT, IMAGE_APP])),
        st.tuples(st.sampled_from(["wave", "drop", "project", "restart"]), st.just(S1)),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
async def test_whatever_people_do_all_is_as_git_says_after_a_pass(steps: list[tuple[str, Ref]]):
    repo = Repo.small(services=2)
    here = await stage(repo)
    await here.project()
    for number, (what, ref) in enumerate(steps):
        exists = await here.cluster.read(here.id(ref)) is not None
        if what in EDITS and exists:
            person(here, ref, EDITS[what], manager=("kubectl-edit", "other")[number % 2])
        elif what == "status" and exists:
            person(here, ref, lambda body: body.setdefault("status", {}).update(revision="forged", digest="forged"), "status")
        elif what == "remove" and exists:
            memory(here).store.remove(here.id(ref))
        elif what == "wave":
            repo = repo.having("specs/services/acme/s1.yaml", service("s1", wave=10))
        elif what == "drop":
            repo = repo.without(["specs/services/acme/s1.yaml"])
        elif what == "project":
            await here.project()
        elif what == "restart":
            here.projector = Projector(here.cluster, here.graph.environment.id, KINDS)
        here.graph = graph(repo)
    await here.projector.load()
    assert (await here.project(at=LATER)).problems == {}
    await settled(here)
