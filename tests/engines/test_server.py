"""What every tier answers like the real thing: the API that the product stands on."""

import asyncio
from typing import Any

import pytest

from tests.engines.binaries import Tier
from tests.engines.client import APPLY, MERGE, Api
from tests.engines.cluster import Cluster
from tests.engines.objects import config, deployment, path_of
from tests.engines.schemas import KINDS, Shadow

EXAMPLES: dict[str, dict[str, Any]] = {
    "Pod": {"spec": {"serviceAccountName": "there", "automountServiceAccountToken": False, "containers": [{"name": "a", "image": "a"}]}},
    "Service": {"spec": {"ports": [{"port": 80, "name": "http"}], "selector": {"app": "a"}}},
    "Event": {"involvedObject": {"kind": "Pod", "name": "a", "namespace": "NAMESPACE"}, "reason": "Tested", "message": "m", "type": "Normal"},
    "PersistentVolumeClaim": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    "ResourceQuota": {"spec": {"hard": {"count/cronjobs.batch": "100"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "Deployment": {"spec": {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": "TEMPLATE"}},
    "StatefulSet": {"spec": {"replicas": 0, "serviceName": "a", "selector": {"matchLabels": {"app": "a"}}, "template": "TEMPLATE"}},
    "DaemonSet": {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": "TEMPLATE"}},
    "ReplicaSet": {"spec": {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": "TEMPLATE"}},
    "Job": {"spec": {"suspend": True, "template": "ONCE"}},
    "CronJob": {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": "ONCE"}}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}},
    "HorizontalPodAutoscaler": {"spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}},
    "NetworkPolicy": {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}]}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}},
    "RoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}},
    "ClusterRoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}},
    "ValidatingAdmissionPolicy": {"spec": {"failurePolicy": "Fail", "validations": [{"expression": "true"}], "matchConstraints": {"resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}}},
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "a", "validationActions": ["Deny"]}},
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-11-21T10:00:00.000000Z"}},
}  # fmt: skip
POD = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a", "ports": [{"containerPort": 80}]}]}}


def filled(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {key: filled(one, namespace) for key, one in value.items()}
    once = {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}
    return {"TEMPLATE": POD, "ONCE": once, "NAMESPACE": namespace}.get(value, value) if isinstance(value, str) else value


def example(shadow: Shadow, namespace: str) -> tuple[str, dict[str, Any]]:
    """Path of the collection, and an object of the kind."""
    version = f"{shadow.group}/{shadow.version}".lstrip("/")
    root = f"/apis/{version}" if shadow.group else "/api/v1"
    name = namespace + "-cluster" if not shadow.namespaced else "one"
    metadata = {"name": name, "labels": {"test": namespace}, **({"namespace": namespace} if shadow.namespaced else {})}
    body = {"apiVersion": version, "kind": shadow.kind, "metadata": metadata, **filled(EXAMPLES.get(shadow.kind, {}), namespace)}
    return (f"{root}/namespaces/{namespace}" if shadow.namespaced else root) + f"/{shadow.plural}", body


@pytest.mark.parametrize("shadow", KINDS, ids=lambda shadow: shadow.kind)
async def test_every_kind_is_applied_found_and_deleted(each_api: Api, each_namespace: str, shadow: Shadow):
    if shadow.kind == "Pod":
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "there"}}
        await each_api.apply(f"/api/v1/namespaces/{each_namespace}/serviceaccounts/there", account)
    collection, body = example(shadow, each_namespace)
    path = f"{collection}/{body['metadata']['name']}"
    preview = await each_api.apply(path, body, query="&dryRun=All&fieldValidation=Strict")
    assert preview.status == 201, preview.body
    assert (await each_api.get(path)).status == 404
    made = await each_api.apply(path, body, query="&fieldValidation=Strict")
    assert made.status == 201, made.body
    assert (made.body["apiVersion"], made.body["kind"]) == (body["apiVersion"], body["kind"])
    entry = next(one for one in made.body["metadata"]["managedFields"] if one["manager"] == "test")
    assert (entry["operation"], entry["apiVersion"]) == ("Apply", body["apiVersion"])
    again = await each_api.apply(path, body)
    assert again.status == 200
    assert {"test": each_namespace}.items() <= again.body["metadata"]["labels"].items()
    listed = (await each_api.get(f"{collection}?labelSelector=test%3D{each_namespace}")).body
    assert listed["kind"] == f"{shadow.kind}List"
    assert [one["metadata"]["name"] for one in listed["items"]] == [body["metadata"]["name"]]
    wrong = await each_api.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "not-this-one"}})
    assert wrong.status == 409
    gone = await each_api.delete(
        path, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": made.body["metadata"]["uid"]}}
    )
    assert gone.status in {200, 202}, gone.body


@pytest.mark.parametrize("shadow", KINDS, ids=lambda shadow: shadow.kind)
async def test_every_kind_is_in_discovery(each_api: Api, shadow: Shadow):
    root = f"/apis/{shadow.group}/{shadow.version}" if shadow.group else "/api/v1"
    document = (await each_api.get(root)).body
    assert document["groupVersion"] == f"{shadow.group}/{shadow.version}".lstrip("/")
    found = next(one for one in document["resources"] if one["name"] == shadow.plural)
    assert (found["kind"], found["namespaced"], found["singularName"]) == (shadow.kind, shadow.namespaced, shadow.kind.lower())
    assert {"get", "list", "watch", "create", "patch", "delete"} <= set(found["verbs"])
    if shadow.group:
        assert shadow.group in {group["name"] for group in (await each_api.get("/apis")).body["groups"]}


async def test_items_of_a_list_are_owned_one_by_one(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")
    await each_api.apply(path, body, "ours")
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}},
    }
    assert (await each_api.apply(path, theirs, "theirs")).status == 200
    got = (await each_api.apply(path, body, "ours")).body
    assert {one["name"] for one in got["spec"]["template"]["spec"]["containers"]} == {"app", "side"}
    assert got["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]


async def test_field_of_another_manager_is_a_conflict_unless_forced(each_api: Api, each_namespace: str):
    path = path_of(config(each_namespace), "configmaps")
    await each_api.apply(path, config(each_namespace, colour="blue"), "ours")
    refused = await each_api.apply(path, config(each_namespace, colour="red"), "theirs")
    assert refused.status == 409
    assert refused.body["details"]["causes"][0]["field"] == ".data.colour"
    assert (await each_api.apply(path, config(each_namespace, colour="red"), "theirs", "&force=true")).status == 200


async def test_unknown_field_is_refused(each_api: Api, each_namespace: str):
    body = deployment(each_namespace)
    body["spec"]["replica"] = 3
    got = await each_api.apply(path_of(body, "deployments"), body)
    assert got.status >= 400
    assert ".spec.replica: field not declared in schema" in got.body["message"]


async def test_write_into_a_namespace_that_is_missing_is_not_found(each_api: Api, prefix: str):
    body = config(prefix + "-absent")
    for query in ("", "&dryRun=All"):
        got = await each_api.apply(path_of(body, "configmaps"), body, query=query)
        assert (got.status, got.body["reason"]) == (404, "NotFound")
        assert got.body["details"]["kind"] == "namespaces"
        assert got.body["message"] == f'namespaces "{prefix}-absent" not found'


async def test_patch_with_an_old_version_or_another_uid_is_a_conflict(each_api: Api, each_namespace: str):
    path = path_of(config(each_namespace), "configmaps")
    first = (await each_api.apply(path, config(each_namespace, colour="blue"))).body["metadata"]
    await each_api.apply(path, config(each_namespace, colour="red"))
    for metadata, refusals in (({"resourceVersion": first["resourceVersion"]}, {409}), ({"uid": "another"}, {409, 422})):
        body = config(each_namespace, colour="green")
        assert (await each_api.apply(path, {**body, "metadata": {**body["metadata"], **metadata}})).status in refusals
        assert (await each_api.merge(path, {"metadata": metadata, "data": {"colour": "green"}})).status in refusals
    assert (await each_api.get(path)).body["data"] == {"colour": "red"}
    stale = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": first["resourceVersion"]}}
    assert (await each_api.delete(path, stale)).status == 409


async def test_list_comes_in_pages(each_api: Api, each_namespace: str):
    for number in range(5):
        body = config(each_namespace, f"page-{number}")
        await each_api.apply(path_of(body, "configmaps"), body)
    path = f"/api/v1/namespaces/{each_namespace}/configmaps?labelSelector="
    first = (await each_api.get(f"{path}&limit=2")).body
    assert len(first["items"]) == 2
    names = [one["metadata"]["name"] for one in first["items"]]
    more = first["metadata"]["continue"]
    while more:
        page = (await each_api.get(f"{path}&limit=2&continue={more}")).body
        names += [one["metadata"]["name"] for one in page["items"]]
        more = page["metadata"].get("continue")
    assert sorted(name for name in names if name.startswith("page-")) == [f"page-{number}" for number in range(5)]
    gone = await each_api.get(f"{path}&limit=2&continue=nonsense")
    assert gone.status == 400


async def test_watch_tells_what_happens_line_by_line(each_api: Api, each_namespace: str):
    collection = f"/apis/apps/v1/namespaces/{each_namespace}/deployments"
    version = (await each_api.get(collection)).body["metadata"]["resourceVersion"]
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")

    async def act() -> None:
        await each_api.apply(path, body)
        await each_api.apply(path, deployment(each_namespace, image="web:2", replicas=0))
        await each_api.delete(path)

    acting = asyncio.create_task(act())
    told = []
    async with asyncio.timeout(20):
        async for event in each_api.watch(collection, version):
            if event["type"] != "BOOKMARK":
                told.append(event)
            if event["type"] == "DELETED":
                break
    await acting
    assert (told[0]["type"], told[0]["object"]["apiVersion"], told[0]["object"]["kind"]) == ("ADDED", "apps/v1", "Deployment")
    images = [event["object"]["spec"]["template"]["spec"]["containers"][0]["image"] for event in told]
    assert images[0] == "web:1"
    assert images[-1] == "web:2"


async def test_refused_watch_is_one_whole_answer(each_api: Api):
    got = await each_api.get("/api/v1/configmaps?watch=true&resourceVersion=not-a-version")
    assert got.status >= 400
    assert (got.body["apiVersion"], got.body["kind"], got.body["code"]) == ("v1", "Status", got.status)


async def test_fifty_writers_at_once_are_all_served(each_api: Api, each_namespace: str):
    bodies = [config(each_namespace, f"many-{number}", number=str(number)) for number in range(200)]
    slots = asyncio.Semaphore(50)

    async def write(body: dict[str, Any]) -> int:
        async with slots:
            return (await each_api.apply(path_of(body, "configmaps"), body)).status

    assert set(await asyncio.gather(*map(write, bodies))) == {201}
    listed = (await each_api.get(f"/api/v1/namespaces/{each_namespace}/configmaps")).body["items"]
    assert {one["data"]["number"] for one in listed if one["metadata"]["name"].startswith("many-")} == {str(n) for n in range(200)}


async def test_status_is_written_apart_from_the_spec(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")
    made = (await each_api.apply(path, body)).body
    got = await each_api.merge(f"{path}/status", {"spec": {"replicas": 7}, "status": {"collisionCount": 3}})
    assert got.status == 200
    assert (got.body["spec"]["replicas"], got.body["status"]["collisionCount"]) == (0, 3)
    assert got.body["metadata"]["generation"] == made["metadata"]["generation"]
    sneaky = await each_api.merge(path, {"status": {"collisionCount": 9}})
    assert sneaky.body["status"]["collisionCount"] == 3


async def test_replicas_are_set_through_the_scale(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")
    await each_api.apply(path, body)
    assert (await each_api.merge(f"{path}/scale", {"spec": {"replicas": 4}})).body["kind"] == "Scale"
    assert (await each_api.get(path)).body["spec"]["replicas"] == 4


async def test_strategic_merge_patch_merges_lists_by_their_keys(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")
    await each_api.apply(path, body)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:9"}, {"name": "more", "image": "more:1"}]}}}}
    got = await each_api.ask("PATCH", f"{path}?fieldManager=kubectl-set", patch, "application/strategic-merge-patch+json")
    assert got.status == 200, got.body
    containers = {one["name"]: one for one in got.body["spec"]["template"]["spec"]["containers"]}
    assert containers["app"]["image"] == "web:9"
    assert containers["app"]["ports"][0]["containerPort"] == 8080
    assert "more" in containers
    assert ("kubectl-set", "Update") in {(one["manager"], one["operation"]) for one in got.body["metadata"]["managedFields"]}
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "more", "$patch": "delete"}]}}}}
    left = (await each_api.ask("PATCH", path, gone, "application/strategic-merge-patch+json")).body
    assert [one["name"] for one in left["spec"]["template"]["spec"]["containers"]] == ["app"]


async def test_custom_resources_of_users_live_beside_the_built_in_kinds(each_api: Api, each_namespace: str, prefix: str):
    group, plural = f"{prefix}.example.org", "widgets"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": plural},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]},
    }  # fmt: skip
    made = await each_api.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    assert made.status == 201, made.body
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    path = f"/apis/{group}/v1/namespaces/{each_namespace}/{plural}/one"
    async with asyncio.timeout(20):
        while (got := await each_api.apply(path, widget)).status != 201:
            await asyncio.sleep(0.05)
    assert got.body["spec"] == {"size": 3}
    async with asyncio.timeout(20):
        while group not in {one["name"] for one in (await each_api.get("/apis")).body["groups"]}:
            await asyncio.sleep(0.05)
    assert (await each_api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}")).status == 200


async def test_request_without_the_token_is_unauthorized(each_api: Api, each_cluster: Cluster):
    each_api.session.headers["Authorization"] = "Bearer wrong"
    got = await each_api.get("/api/v1/namespaces")
    assert (got.status, got.body["reason"]) == (401, "Unauthorized")


async def test_body_that_is_no_document_is_a_bad_request(each_api: Api, each_namespace: str):
    path = f"/api/v1/namespaces/{each_namespace}/configmaps"
    async with each_api.session.post(each_api.server + path, data=b"{[", headers={"Content-Type": "application/json"}) as got:
        assert got.status == 400
    async with each_api.session.patch(each_api.server + f"{path}/a?fieldManager=a", data=b"a: [", headers={"Content-Type": APPLY}) as got:
        assert got.status == 400


async def test_only_the_real_server_fills_in_defaults(each_api: Api, each_cluster: Cluster, each_namespace: str):
    body = deployment(each_namespace, replicas=0)
    got = (await each_api.ask("POST", f"/apis/apps/v1/namespaces/{each_namespace}/deployments", body)).body
    assert ("revisionHistoryLimit" in got["spec"]) == (each_cluster.tier is Tier.REAL)


async def test_merge_patch_takes_fields_away(each_api: Api, each_namespace: str):
    path = path_of(config(each_namespace), "configmaps")
    await each_api.apply(path, config(each_namespace, colour="blue", size="2"))
    got = await each_api.ask("PATCH", path, {"data": {"size": None}}, MERGE)
    assert got.body["data"] == {"colour": "blue"}
