"""The player of stages: what becomes of workloads, namespaces, claims and quotas without anybody who runs them."""

import asyncio

import pytest

from tests.engines.client import Api
from tests.engines.objects import Body, deployment, path_of, stages, template, until


def condition(body: Body, kind: str) -> tuple[str, str]:
    found = next((one for one in (body.get("status") or {}).get("conditions", ()) if one["type"] == kind), None)
    return (found["status"], found["reason"]) if found else ("", "")


def settled(body: Body) -> bool:
    """As `kubectl rollout status` has it."""
    status, replicas = body.get("status") or {}, body["spec"]["replicas"]
    counts = [status.get(f"{name}eplicas", 0) for name in ("r", "updatedR", "readyR", "availableR")]
    return status.get("observedGeneration") == body["metadata"]["generation"] and counts == [replicas] * 4


async def test_deployment_becomes_ready(each_api: Api, each_namespace: str):
    body = deployment(each_namespace)
    await each_api.apply(path_of(body, "deployments"), body)
    got = await until(each_api, path_of(body, "deployments"), settled)
    assert condition(got, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(got, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert "unavailableReplicas" not in got["status"]


async def test_new_image_rolls_while_the_old_pods_serve(each_api: Api, each_namespace: str):
    path = path_of(deployment(each_namespace), "deployments")
    await each_api.apply(path, deployment(each_namespace, stage="ready"))
    await until(each_api, path, settled)
    await each_api.apply(path, deployment(each_namespace, image="web:2", stage="slow", delay="2s"))
    moving = await until(each_api, path, lambda body: condition(body, "Progressing")[1] == "ReplicaSetUpdated")
    assert (moving["status"]["replicas"], moving["status"]["updatedReplicas"], moving["status"]["availableReplicas"]) == (3, 1, 2)
    assert condition(moving, "Available")[0] == "True"
    await until(each_api, path, settled)


async def test_recreated_deployment_is_down_while_it_rolls(each_api: Api, each_namespace: str):
    path = path_of(deployment(each_namespace), "deployments")
    for image, marks in (("web:1", {}), ("web:2", {"stage": "slow", "delay": "2s"})):
        body = deployment(each_namespace, image=image, **marks)
        body["spec"]["strategy"] = {"type": "Recreate"}
        await each_api.apply(path, body)
        if image == "web:1":
            await until(each_api, path, settled)
    moving = await until(each_api, path, lambda body: condition(body, "Progressing")[1] == "ReplicaSetUpdated")
    assert condition(moving, "Available")[0] == "False"
    assert "availableReplicas" not in moving["status"]


async def test_failed_deployment_exceeds_its_deadline(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, stage="failed")
    path = path_of(body, "deployments")
    await each_api.apply(path, body)
    got = await until(each_api, path, lambda body: condition(body, "Progressing")[1] == "ProgressDeadlineExceeded")
    assert condition(got, "Progressing")[0] == condition(got, "Available")[0] == "False"
    assert got["status"]["unavailableReplicas"] == 2


async def test_failed_rollout_leaves_the_old_pods_serving(each_api: Api, each_namespace: str):
    path = path_of(deployment(each_namespace), "deployments")
    await each_api.apply(path, deployment(each_namespace))
    await until(each_api, path, settled)
    await each_api.apply(path, deployment(each_namespace, image="web:2", stage="failed"))
    got = await until(each_api, path, lambda body: condition(body, "Progressing")[1] == "ProgressDeadlineExceeded")
    assert condition(got, "Available")[0] == "True"
    assert got["status"]["updatedReplicas"] == 1


async def test_annotation_of_a_person_makes_a_deployment_sick_and_well_again(each_api: Api, each_namespace: str):
    path = path_of(deployment(each_namespace), "deployments")
    await each_api.apply(path, deployment(each_namespace))
    await until(each_api, path, settled)
    await each_api.merge(path, {"metadata": {"annotations": stages({"stage": "failed"})}})
    await until(each_api, path, lambda body: condition(body, "Progressing")[0] == "False")
    await each_api.merge(path, {"metadata": {"annotations": {"stages.fleetwright.dev/stage": None}}})
    await until(each_api, path, settled)


async def test_crash_looping_deployment_is_never_ready_and_ends_at_its_deadline(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, stage="crash-looping")
    body["spec"]["progressDeadlineSeconds"] = 1
    path = path_of(body, "deployments")
    await each_api.apply(path, body)
    got = await until(each_api, path, lambda body: "containers crash" in str(body.get("status")))
    assert "readyReplicas" not in got["status"]
    await until(each_api, path, lambda body: condition(body, "Progressing")[1] == "ProgressDeadlineExceeded")


async def test_suspended_deployment_is_ready_at_once(each_api: Api, each_namespace: str):
    body = deployment(each_namespace, replicas=0, stage="slow", delay="1h")
    await each_api.apply(path_of(body, "deployments"), body)
    got = await until(each_api, path_of(body, "deployments"), lambda body: "observedGeneration" in (body.get("status") or {}))
    assert condition(got, "Available")[0] == "True"
    assert "replicas" not in got["status"]


async def test_stateful_set_becomes_ready_revision_by_revision(each_api: Api, each_namespace: str):
    body = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": each_namespace},
        "spec": {"replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template("db", "db:1")},
    }
    path = path_of(body, "statefulsets")
    await each_api.apply(path, body)
    first = await until(each_api, path, settled)
    assert first["status"]["currentRevision"] == first["status"]["updateRevision"]
    body["spec"]["template"] = template("db", "db:2")
    await each_api.apply(path, body)
    second = await until(
        each_api, path, lambda body: settled(body) and body["status"]["currentRevision"] == body["status"]["updateRevision"]
    )
    assert second["status"]["updateRevision"] != first["status"]["updateRevision"]


def job(namespace: str, name: str, **marks: str) -> Body:
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}}
    metadata = {"name": name, "namespace": namespace, "annotations": stages(marks)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


async def test_job_completes(each_api: Api, each_namespace: str):
    body = job(each_namespace, "good")
    await each_api.apply(path_of(body, "jobs"), body)
    got = await until(each_api, path_of(body, "jobs"), lambda body: condition(body, "Complete")[0] == "True")
    assert got["status"]["succeeded"] == 1
    assert got["status"]["completionTime"] >= got["status"]["startTime"]


async def test_failed_job_says_why(each_api: Api, each_namespace: str):
    body = job(each_namespace, "bad", stage="failed")
    await each_api.apply(path_of(body, "jobs"), body)
    got = await until(each_api, path_of(body, "jobs"), lambda body: condition(body, "Failed")[0] == "True")
    assert condition(got, "Failed") == ("True", "BackoffLimitExceeded")
    assert got["status"]["failed"] == 7


async def test_claim_is_bound(each_api: Api, each_namespace: str):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": each_namespace}, "spec": spec}
    await each_api.apply(path_of(body, "persistentvolumeclaims"), body)
    got = await until(
        each_api,
        path_of(body, "persistentvolumeclaims"),
        lambda body: body["status"].get("phase") == "Bound" if "status" in body else False,
    )
    assert got["status"]["capacity"] == {"storage": "1Gi"}


async def test_deleted_namespace_is_emptied_and_goes(each_api: Api, prefix: str):
    name = prefix + "-going"
    await each_api.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    body = deployment(name)
    await each_api.apply(path_of(body, "deployments"), body)
    await until(each_api, path_of(body, "deployments"), settled)
    gone = await each_api.delete(f"/api/v1/namespaces/{name}")
    assert gone.body["status"]["phase"] == "Terminating"
    await until_gone(each_api, f"/api/v1/namespaces/{name}")
    assert (await each_api.get(path_of(body, "deployments"))).status == 404
    assert (
        await each_api.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    ).status == 201
    await each_api.delete(f"/api/v1/namespaces/{name}")


async def test_namespace_on_its_way_out_takes_nothing_new(each_api: Api, prefix: str):
    name = prefix + "-slow"
    metadata = {"name": name, "annotations": stages({"stage": "slow", "delay": "1s"})}
    await each_api.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    body = deployment(name, replicas=0)
    await each_api.apply(path_of(body, "deployments"), body)
    await each_api.delete(f"/api/v1/namespaces/{name}")
    new = deployment(name, "new", replicas=0)
    got = await each_api.apply(path_of(new, "deployments"), new)
    assert (got.status, got.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    assert (await each_api.apply(path_of(body, "deployments"), deployment(name, image="web:2", replicas=0))).status == 200
    await until_gone(each_api, f"/api/v1/namespaces/{name}")


async def until_gone(api: Api, path: str) -> None:
    async with asyncio.timeout(20):
        while (await api.get(path)).status != 404:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("policy", ["Foreground", "Orphan", "Background"])
async def test_deletion_ends_whatever_becomes_of_dependents(each_api: Api, each_namespace: str, policy: str):
    body = deployment(each_namespace, replicas=0)
    path = path_of(body, "deployments")
    await each_api.apply(path, body)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
    assert (await each_api.delete(path, options)).status in {200, 202}
    await until_gone(each_api, path)


async def test_quota_is_counted(each_api: Api, each_namespace: str):
    hard = {"count/deployments.apps": "3", "services": "1", "requests.cpu": "2"}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all", "namespace": each_namespace}, "spec": {"hard": hard}}
    one = deployment(each_namespace)
    await each_api.apply(path_of(one, "deployments"), one)
    await each_api.apply(path_of(body, "resourcequotas"), body)
    got = await until(each_api, path_of(body, "resourcequotas"), lambda body: (body.get("status") or {}).get("hard") == hard)
    assert got["status"]["used"] == {"count/deployments.apps": "1", "services": "0", "requests.cpu": "0"}
