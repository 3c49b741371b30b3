"""The contract of the port `Cluster`: one body for every implementation and every API server."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from reconciler.core.changes import changes
from reconciler.model.manifests import MANAGER, ObjectId, identify
from reconciler.ports import Accepted, EventKind
from tests.adapters.contract import KINDS, Target, condition, managers, names, next_event, refused

PERSON = "kubectl-edit"
TCP = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}


async def test_apply_creates_once_and_then_changes_nothing(target: Target):
    first = await target.applied(target.config())
    second = await target.applied(target.config())
    assert first.created
    assert not second.created
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]
    assert second.body["metadata"]["uid"] == first.body["metadata"]["uid"]


async def test_preview_says_what_would_stand_and_writes_nothing(target: Target):
    new = await target.ours.apply(target.config(), dry_run=True, force=True)
    assert isinstance(new, Accepted)
    assert new.created
    assert await target.ours.read(identify(target.config())) is None
    before = await target.applied(target.config())
    changed = await target.ours.apply(target.config(data={"colour": "red"}), dry_run=True, force=True)
    assert isinstance(changed, Accepted)
    assert not changed.created
    assert changed.body["data"] == {"colour": "red"}
    assert (await target.live(identify(target.config()))).body == before.body


async def test_preview_of_a_version_that_is_known_says_the_same_and_writes_nothing(target: Target):
    annotations = {"example.com/note": "one"}
    first = target.deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], args=["x"])
    first["metadata"]["annotations"] = annotations
    before = await target.applied(first)
    live = await target.live(identify(first))
    second = target.deployment(image="registry.test/web:2", env=[{"name": "B", "value": "3"}, {"name": "A", "value": "1"}], args=["y", "z"])
    second["metadata"]["annotations"] = {"example.com/note": "two"}
    known = await target.ours.apply(second, dry_run=True, force=True, live=live)
    unknown = await target.ours.apply(second, dry_run=True, force=True)
    assert isinstance(known, Accepted)
    assert isinstance(unknown, Accepted)
    assert changes(known.body, unknown.body) == ()
    assert {change.path for change in changes(before.body, known.body)} >= {"/metadata/annotations/example.com~1note"}
    assert changes(before.body, (await target.live(identify(first))).body) == ()


async def test_preview_of_a_version_that_is_gone_is_one_of_what_stands(target: Target):
    await target.applied(target.config(data={"colour": "blue", "size": "1"}))
    live = await target.live(identify(target.config()))
    await target.applied(target.config(data={"size": "1"}))
    answer = await target.ours.apply(target.config(data={"colour": "red", "size": "1"}), dry_run=True, force=True, live=live)
    assert isinstance(answer, Accepted)
    assert answer.body["data"] == {"colour": "red", "size": "1"}


async def test_refusal_of_a_preview_of_a_known_version_is_that_of_an_apply(target: Target):
    if not target.whole:
        pytest.skip("this API server does not validate Deployments")
    await target.applied(target.deployment())
    live = await target.live(identify(target.deployment()))
    bad = target.deployment()
    bad["spec"]["selector"]["matchLabels"]["app"] = "other"
    known = refused(await target.ours.apply(bad, dry_run=True, force=True, live=live), 422)
    assert known == refused(await target.ours.apply(bad, dry_run=True, force=True), 422)


async def test_namespace_that_is_missing_refuses_even_a_preview(target: Target):
    if not target.whole:
        pytest.skip("this API server has no namespace admission")
    body = target.config() | {"metadata": target.metadata("settings", namespace=target.place + "-absent")}
    answer = refused(await target.ours.apply(body, dry_run=True, force=True), 404)
    assert answer.reason == "NotFound"
    assert target.place + "-absent" in answer.message


async def test_field_that_is_applied_no_more_goes(target: Target):
    await target.applied(target.config(data={"colour": "blue", "size": "2"}))
    answer = await target.applied(target.config(data={"colour": "blue"}))
    assert answer.body["data"] == {"colour": "blue"}


async def test_fields_of_others_stay(target: Target):
    await target.applied(target.config())
    await target.applied({**target.config(data={"hat": "green"}), "metadata": {"name": "settings", "namespace": target.place}}, "other")
    answer = await target.applied(target.config(data={"colour": "red"}))
    assert answer.body["data"] == {"colour": "red", "hat": "green"}
    assert managers(answer.body) == {("fleetwright", "Apply"), ("other", "Apply")}


async def test_field_that_another_applies_too_stays_when_we_let_go(target: Target):
    await target.applied(target.config(data={"colour": "blue", "size": "2"}))
    await target.applied(target.config(data={"size": "2"}), "other")
    answer = await target.applied(target.config(data={"colour": "blue"}))
    assert answer.body["data"] == {"colour": "blue", "size": "2"}


async def test_conflict_names_managers_and_fields_and_force_takes_over(target: Target):
    await target.applied(target.config(), "other")
    answer = refused(await target.ours.apply(target.config(data={"colour": "red"}), dry_run=False, force=False), 409)
    assert answer.reason == "Conflict"
    assert answer.managers == ("other",)
    assert answer.fields == (".data.colour",)
    taken = await target.applied(target.config(data={"colour": "red"}), force=True)
    assert taken.body["data"] == {"colour": "red"}
    later = refused(await target.by("other").apply(target.config(data={"colour": "blue"}), dry_run=True, force=False), 409)
    assert later.managers == ("fleetwright",)


async def test_edit_of_a_person_is_a_manager_of_its_own_and_a_conflict(target: Target):
    await target.applied(target.config())
    edited = await target.edited(identify(target.config()), PERSON, lambda body: body["data"].update(colour="red", note="by hand"))
    assert managers(edited.body) == {("fleetwright", "Apply"), (PERSON, "Update")}
    answer = refused(await target.ours.apply(target.config(), dry_run=True, force=False), 409)
    assert answer.managers == (PERSON,)
    forced = await target.applied(target.config())
    assert forced.body["data"] == {"colour": "blue", "note": "by hand"}


async def test_taking_over_managers_lets_the_next_apply_remove_what_they_left(target: Target):
    await target.applied(target.config())
    await target.edited(identify(target.config()), PERSON, lambda body: body["data"].update(note="by hand"))
    await target.edited(identify(target.config()), "other-tool", lambda body: body["data"].update(tool="wrench"))
    handed = await target.ours.patch_managers(await target.live(identify(target.config())), (PERSON,))
    assert isinstance(handed, Accepted)
    assert managers(handed.body) == {("fleetwright", "Apply"), ("other-tool", "Update")}
    answer = await target.applied(target.config())
    assert answer.body["data"] == {"colour": "blue", "tool": "wrench"}


async def test_taking_over_managers_of_a_version_that_is_gone_is_a_conflict(target: Target):
    await target.applied(target.config())
    await target.edited(identify(target.config()), PERSON, lambda body: body["data"].update(note="by hand"))
    seen = await target.live(identify(target.config()))
    await target.edited(identify(target.config()), PERSON, lambda body: body["data"].update(note="again"))
    refused(await target.ours.patch_managers(seen, (PERSON,)), 409)


async def test_lists_merge_by_the_names_of_their_items(target: Target):
    mine = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    await target.applied(target.deployment(env=mine))
    sidecar = target.deployment(env=[{"name": "C", "value": "3"}])
    sidecar["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "registry.test/proxy:1"})
    await target.applied(sidecar, "other")
    answer = await target.applied(target.deployment(env=mine[:1]))
    main, proxy = answer.body["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "A", "value": "1"}, {"name": "C", "value": "3"}]
    assert proxy["name"] == "proxy"


async def test_lists_take_the_order_in_which_they_are_applied(target: Target):
    first, second = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    await target.applied(target.deployment(env=[first, second]))
    answer = await target.applied(target.deployment(env=[second, first]))
    assert answer.body["spec"]["template"]["spec"]["containers"][0]["env"] == [second, first]


async def test_ports_merge_by_number_and_protocol(target: Target):
    await target.applied(target.service(TCP))
    udp = {"name": "dns", "port": 80, "protocol": "UDP", "targetPort": 53}
    answer = await target.applied(target.service(TCP, udp))
    assert [(port["port"], port["protocol"]) for port in answer.body["spec"]["ports"]] == [(80, "TCP"), (80, "UDP")]
    answer = await target.applied(target.service(udp))
    assert [(port["port"], port["protocol"]) for port in answer.body["spec"]["ports"]] == [(80, "UDP")]


async def test_selector_is_one_value(target: Target):
    await target.applied(target.service(TCP))
    body = target.service(TCP)
    body["spec"]["selector"] = {"tier": "front"}
    assert (await target.applied(body)).body["spec"]["selector"] == {"tier": "front"}


async def test_container_port_without_protocol_is_tcp(target: Target):
    answer = await target.applied(target.deployment(ports=[{"containerPort": 8080}]))
    keys = str(answer.body["metadata"]["managedFields"])
    assert 'k:{"containerPort":8080,"protocol":"TCP"}' in keys


async def test_status_is_not_ours_to_apply(target: Target):
    await target.applied(target.deployment() | {"status": {"readyReplicas": 77}})
    live = await target.live(identify(target.deployment()))
    assert live.body.get("status", {}).get("readyReplicas") != 77


async def test_generation_counts_changes_of_the_spec_alone(target: Target):
    first = await target.applied(target.deployment())
    labelled = target.deployment()
    labelled["metadata"]["labels"] = {**target.labels, "colour": "blue"}
    second = await target.applied(labelled)
    third = await target.applied(target.deployment(image="registry.test/web:2"))
    assert [a.body["metadata"]["generation"] for a in (first, second, third)] == [1, 1, 2]


@pytest.mark.parametrize("wrong", [{"uid": "00000000-0000-4000-8000-000000000000"}, {"resourceVersion": "1"}])
async def test_precondition_that_does_not_hold_is_a_conflict(target: Target, wrong: dict[str, str]):
    await target.applied(target.config())
    body = target.config(data={"colour": "red"}) | {"metadata": target.metadata("settings", **wrong)}
    assert refused(await target.ours.apply(body, dry_run=False, force=True), 409).reason == "Conflict"
    assert (await target.live(identify(body))).body["data"] == {"colour": "blue"}


async def test_preconditions_that_hold_let_an_apply_through(target: Target):
    live = (await target.applied(target.config())).body["metadata"]
    body = target.config(data={"colour": "red"})
    body["metadata"] = target.metadata("settings", uid=live["uid"], resourceVersion=live["resourceVersion"])
    assert (await target.applied(body)).body["data"] == {"colour": "red"}


async def test_precondition_on_an_object_that_is_gone_is_a_conflict(target: Target):
    body = target.config() | {"metadata": target.metadata("settings", uid="00000000-0000-4000-8000-000000000000")}
    refused(await target.ours.apply(body, dry_run=False, force=True), 409)
    assert await target.ours.read(identify(body)) is None


async def test_put_creates_only_what_is_not_there(target: Target):
    made = await target.ours.put(target.config())
    assert isinstance(made, Accepted)
    assert made.created
    assert refused(await target.ours.put(target.config()), 409).reason == "AlreadyExists"


async def test_put_replaces_only_the_version_that_it_names(target: Target):
    await target.ours.put(target.config())
    seen = await target.live(identify(target.config()))
    body = target.config(data={"size": "2"}) | {"metadata": target.metadata("settings", resourceVersion=seen.resource_version)}
    taken = await target.ours.put(body)
    assert isinstance(taken, Accepted)
    assert not taken.created
    assert taken.body["data"] == {"size": "2"}
    assert refused(await target.by("rival").put(body), 409).reason == "Conflict"


async def test_put_of_a_version_of_something_gone_is_refused(target: Target):
    await target.ours.put(target.config())
    seen = await target.live(identify(target.config()))
    assert isinstance(await target.ours.delete(seen), Accepted)
    body = target.config() | {"metadata": target.metadata("settings", resourceVersion=seen.resource_version)}
    answer = await target.ours.put(body)
    assert not isinstance(answer, Accepted)
    assert answer.status in {404, 409}


async def test_lease_has_one_holder(target: Target):
    def lease(holder: str, **more: str):
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": target.metadata("writer", **more), "spec": spec}

    assert isinstance(await target.ours.put(lease("one")), Accepted)
    seen = await target.live(identify(lease("one")))
    assert seen.body["spec"]["holderIdentity"] == "one"
    assert isinstance(await target.ours.put(lease("two", resourceVersion=seen.resource_version)), Accepted)
    refused(await target.by("rival").put(lease("three", resourceVersion=seen.resource_version)), 409)
    assert (await target.live(identify(lease("one")))).body["spec"]["holderIdentity"] == "two"


async def test_delete_takes_exactly_this_version(target: Target):
    await target.applied(target.config())
    old = await target.live(identify(target.config()))
    await target.applied(target.config(data={"colour": "red"}))
    assert refused(await target.ours.delete(old), 409).reason == "Conflict"
    assert isinstance(await target.ours.delete(await target.live(old.id)), Accepted)
    assert await target.ours.read(old.id) is None
    assert refused(await target.ours.delete(old), 404).reason == "NotFound"


async def test_delete_never_takes_a_namesake(target: Target):
    await target.applied(target.config())
    old = await target.live(identify(target.config()))
    await target.ours.delete(old)
    await target.applied(target.config())
    refused(await target.ours.delete(old), 409)
    assert (await target.live(old.id)).uid != old.uid


async def test_immutable_config_is_refused_with_its_field(target: Target):
    if not target.whole:
        pytest.skip("this API server has no validation")
    await target.applied(target.config(immutable=True))
    answer = refused(await target.ours.apply(target.config(data={"colour": "red"}, immutable=True), dry_run=True, force=True), 422)
    assert answer.reason == "Invalid"
    assert answer.fields == ("data",)


async def test_immutable_selector_is_refused_with_its_field(target: Target):
    if not target.whole:
        pytest.skip("this API server has no validation")
    await target.applied(target.deployment())
    body = target.deployment()
    body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert refused(await target.ours.apply(body, dry_run=False, force=True), 422).fields == ("spec.selector",)


async def test_selector_that_misses_its_own_pods_is_refused(target: Target):
    if not target.whole:
        pytest.skip("this API server has no validation")
    body = target.deployment()
    body["spec"]["selector"]["matchLabels"] = {"app": "other"}
    assert "spec.template.metadata.labels" in refused(await target.ours.apply(body, dry_run=True, force=True), 422).fields


async def test_name_that_cannot_be_is_refused(target: Target):
    answer = refused(await target.ours.apply(target.config("Not_A_Name"), dry_run=True, force=True), 422)
    assert answer.fields == ("metadata.name",)


async def test_list_finds_labelled_objects_of_all_kinds(target: Target):
    await target.applied(target.config())
    await target.applied(target.service(TCP))
    await target.applied({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": target.metadata("robot")})
    stranger = target.config("stranger")
    stranger["metadata"]["labels"] = {}
    await target.applied(stranger)
    found = await target.ours.list(target.labels, KINDS)
    assert names(found) == {target.place, "settings", "web", "robot"}
    for observed in found:
        assert identify(observed.body) == observed.id
        assert observed.body["metadata"]["uid"] == observed.uid


async def test_list_of_a_kind_that_is_not_served_is_empty(target: Target):
    await target.applied(target.config())
    found = await target.ours.list(target.labels, [("nowhere.test", "Unheard"), ("", "ConfigMap")])
    assert names(found) == {"settings"}


async def test_read_of_what_is_not_there_is_none(target: Target):
    assert await target.ours.read(ObjectId("", "ConfigMap", target.place, "absent")) is None
    assert await target.ours.read(ObjectId("", "ConfigMap", target.place + "-absent", "absent")) is None
    assert (await target.live(ObjectId("", "Namespace", "", target.place))).id.name == target.place


async def test_watch_shows_what_is_there_and_then_what_happens(target: Target):
    await target.applied(target.config("first"))
    async with aclosing(target.ours.watch(target.labels, [("", "ConfigMap"), ("apps", "Deployment")])) as events:
        first = await next_event(events)
        assert (first.kind, first.observed.id.name) == (EventKind.SET, "first")
        await target.applied(target.config("second"))
        second = await next_event(events)
        assert (second.kind, second.observed.id.name) == (EventKind.SET, "second")
        await target.ours.delete(await target.live(second.observed.id))
        gone = await next_event(events)
        assert (gone.kind, gone.observed.id.name) == (EventKind.GONE, "second")


async def test_watch_sees_an_object_go_that_loses_its_labels(target: Target):
    await target.applied(target.config("settings"))
    async with aclosing(target.ours.watch(target.labels, [("", "ConfigMap")])) as events:
        assert (await next_event(events)).kind is EventKind.SET
        await target.edited(identify(target.config()), PERSON, lambda body: body["metadata"]["labels"].clear())
        assert (await next_event(events)).kind is EventKind.GONE


async def test_watch_does_not_see_objects_of_others(target: Target):
    async with aclosing(target.ours.watch(target.labels, [("", "ConfigMap")])) as events:
        await target.applied(target.config("first"))
        assert (await next_event(events)).observed.id.name == "first"
        stranger = target.config("stranger")
        stranger["metadata"]["labels"] = {}
        await target.applied(stranger)
        await target.applied(target.config("second"))
        assert (await next_event(events)).observed.id.name == "second"


@pytest.mark.parametrize(("spoil", "field"), [({"replicsa": 1}, "spec.replicsa"), ({"replicas": "many"}, "spec.replicas")])
async def test_body_that_is_no_deployment_is_refused_with_its_field(target: Target, spoil: dict[str, object], field: str):
    if target.name != "kube-apiserver":
        pytest.skip("only a kube-apiserver knows what a Deployment looks like")
    body = target.deployment()
    body["spec"] |= spoil
    answer = refused(await target.ours.apply(body, dry_run=True, force=True), 422)
    assert field in answer.fields
    assert field in answer.message
    assert refused(await target.ours.apply(body, dry_run=False, force=False), 422) == answer
    assert not isinstance(await target.ours.put(body), Accepted)


async def test_field_that_nobody_knows_is_refused_also_in_a_list_that_is_one_value(target: Target):
    if target.name != "kube-apiserver":
        pytest.skip("only a kube-apiserver knows what a Deployment looks like")
    body = target.deployment()
    body["spec"]["template"]["spec"]["tolerations"] = [{"key": "gpu", "operator": "Exists"}]
    await target.applied(body)
    live = await target.live(identify(body))
    body["spec"]["template"]["spec"]["tolerations"] = [{"key": "gpu", "operator": "Exists", "efect": "NoSchedule"}]
    answer = refused(await target.ours.apply(body, dry_run=True, force=True, live=live), 422)
    assert "efect" in answer.message


async def test_a_status_is_applied_by_itself(target: Target):
    await target.defined("Task")
    made = await target.applied(target.task())
    assert made.body["metadata"]["generation"] == 1
    said = await target.said({"observedGeneration": 1, "conditions": [condition("Ready"), condition("Held")]})
    assert not said.created
    assert said.body["spec"] == made.body["spec"]
    again = await target.said({"observedGeneration": 1, "conditions": [condition("Ready"), condition("Held")]})
    assert again.body["metadata"]["resourceVersion"] == said.body["metadata"]["resourceVersion"]
    less = await target.said({"conditions": [condition("Ready", "False")]})
    assert less.body["status"] == {"conditions": [condition("Ready", "False")]}
    assert less.body["metadata"]["generation"] == 1
    applied = await target.applied(target.task(worker="other"))
    assert (applied.body["metadata"]["generation"], applied.body["status"]) == (2, less.body["status"])
    entries = {(e["manager"], e["operation"], e.get("subresource", "")) for e in applied.body["metadata"]["managedFields"]}
    assert entries == {(MANAGER, "Apply", ""), (MANAGER, "Apply", "status")}


async def test_what_others_say_in_a_status_goes_once_it_is_taken_over(target: Target):
    await target.defined("Task")
    live = await target.applied(target.task())
    await target.said({"revision": "a"})
    other = await target.by("other").apply_status({**target.task(), "status": {"revision": "b", "image": "by-hand"}})
    assert isinstance(other, Accepted), other
    answer = await target.said({"revision": "a"})
    assert answer.body["status"] == {"revision": "a", "image": "by-hand"}
    taken = await target.ours.patch_managers(await target.live(identify(live.body)), ("other",), "status")
    assert isinstance(taken, Accepted), taken
    assert (await target.said({"revision": "a"})).body["status"] == {"revision": "a"}


async def test_a_status_of_what_is_not_there_is_refused(target: Target):
    await target.defined("Task")
    refused(await target.ours.apply_status({**target.task(), "status": {"revision": "a"}}), 404)
    first = await target.applied(target.task())
    assert isinstance(await target.ours.delete(await target.live(identify(first.body))), Accepted)
    refused(await target.ours.apply_status({**target.task(), "status": {"revision": "a"}}), 404)


async def test_a_status_has_no_preconditions(target: Target):
    await target.defined("Task")
    await target.applied(target.task())
    late = target.task()
    late["metadata"] |= {"uid": "00000000-0000-4000-8000-000000000000", "labels": {"by": "status"}}
    answer = await target.ours.apply_status({**late, "status": {"revision": "a"}})
    assert isinstance(answer, Accepted), answer
    assert answer.body["metadata"]["labels"] == target.labels


async def test_custom_resources_are_listed_watched_and_deleted(target: Target):
    await target.defined("Task")
    await target.applied(target.task())
    kinds = [("fleetwright.dev", "Task"), ("", "ConfigMap")]
    assert names(await target.ours.list(target.labels, kinds)) == {"sweep"}
    async with aclosing(target.ours.watch(target.labels, kinds)) as events:
        seen = await next_event(events)
        assert (seen.kind, seen.observed.id.group) == (EventKind.SET, "fleetwright.dev")
        await target.said({"revision": "a"})
        assert (await next_event(events)).observed.body["status"] == {"revision": "a"}
        assert isinstance(await target.ours.delete(await target.live(seen.observed.id)), Accepted)
        assert (await next_event(events)).kind is EventKind.GONE


async def test_an_annotation_is_an_order_that_no_apply_takes_away(target: Target):
    id = identify(target.config())
    missing = refused(await target.ours.annotate(id, {"fleetwright.dev/paused": "true"}), 404)
    assert missing.message
    first = await target.applied(target.config(metadata=target.metadata("settings", annotations={"ours": "1"})))
    await target.ours.annotate(id, {"fleetwright.dev/paused": "true", "fleetwright.dev/reconcile": "a"})
    again = await target.applied(target.config(data={"colour": "red"}, metadata=target.metadata("settings", annotations={"ours": "1"})))
    assert again.body["metadata"]["uid"] == first.body["metadata"]["uid"]
    assert again.body["metadata"]["annotations"] == {"ours": "1", "fleetwright.dev/paused": "true", "fleetwright.dev/reconcile": "a"}
    await target.ours.annotate(id, {"fleetwright.dev/paused": None})
    assert (await target.live(id)).body["metadata"]["annotations"] == {"ours": "1", "fleetwright.dev/reconcile": "a"}
