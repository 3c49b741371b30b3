"""The Celery configuration of a worker application."""

from __future__ import annotations

import pytest

from reconciler.kinds.task.celery import configuration, runtime
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.canonical import dumps
from reconciler.model.documents import Document
from reconciler.model.fleet import Resource
from reconciler.model.refs import Ref
from reconciler.model.worker import WorkerSpec

WORKER = WorkerSpec.model_validate(
    {"app": "a.b", "broker": {"service": "redis"}, "queues": {"slow": {}, "fast": {}}, "visibilityTimeout": "7200s", "beat": {}}
)


def task(name: str, **spec) -> Resource[TaskSpec]:
    ref = Ref("Task", name, "acme")
    document = Document(ref, f"specs/tasks/acme/{name}.yaml", {}, None)  # type: ignore[arg-type]
    return Resource(ref, TaskSpec.model_validate({"worker": "jobs", "entrypoint": "a.b:run", **spec}), {}, {}, document)


def test_each_task_is_routed_to_its_queue_and_else_to_the_first():
    settings = configuration(WORKER, [task("b", queue="slow"), task("a")])
    assert settings["task_routes"] == {"a": {"queue": "fast"}, "b": {"queue": "slow"}}
    assert settings["task_queues"] == [{"name": "fast"}, {"name": "slow"}]
    assert settings["task_default_queue"] == "fast"


def test_messages_are_acknowledged_late_and_handed_out_again_after_the_visibility_timeout():
    settings = configuration(WORKER, [])
    assert settings["task_acks_late"] is True
    assert settings["task_reject_on_worker_lost"] is True
    assert settings["broker_transport_options"] == {"visibility_timeout": 7200}


def test_limits_of_a_task_are_its_annotations():
    spec = {"timeLimit": "300s", "softTimeLimit": "4m", "rateLimit": "10/m", "rejectOnWorkerLost": False, "retry": {"attempts": 5}}
    assert configuration(WORKER, [task("a", **spec)])["task_annotations"]["a"] == {
        "acks_late": True,
        "max_retries": 4,
        "rate_limit": "10/m",
        "reject_on_worker_lost": False,
        "soft_time_limit": 240,
        "time_limit": 300,
    }


def test_only_tasks_with_a_schedule_are_in_the_beat():
    tasks = [task("a"), task("b", schedule={"every": "60s"}, arguments={"n": 1}), task("c", schedule={"cron": "0 3 * * *"})]
    beat = configuration(WORKER, tasks)["beat_schedule"]
    assert beat["b"] == {"task": "b", "schedule": {"every": 60.0}, "kwargs": {"n": 1}, "options": {"expires": 60}}
    assert beat["c"]["schedule"]["timezone"] == "UTC"
    assert set(beat) == {"b", "c"}


def test_jobs_are_not_on_queues_but_the_runtime_knows_them():
    tasks = [task("a", runner="job", schedule={"every": "1h"}), task("b")]
    settings = configuration(WORKER, tasks)
    assert set(settings["task_routes"]) == {"b"}
    assert settings["beat_schedule"] == {}
    assert set(runtime(tasks)) == {"a", "b"}


def test_the_runtime_is_told_what_to_import_check_and_count():
    artifact = {"sha256": "sha256:" + "0" * 64, "signature": "c2ln"}
    spec = {"dedupe": {"key": "a:{b}", "ttl": "90s"}, "gate": "task.run", "artifact": artifact, "metrics": {"buckets": ["1s", "1m"]}}
    assert runtime([task("a", retry={"terminal": ["ValueError"]}, **spec)]) == {
        "a": {
            "entrypoint": "a.b:run",
            "retry": {"attempts": 3, "backoff": 2.0, "cap": 600.0, "terminal": ["ValueError"]},
            "dedupe": {"key": "a:{b}", "ttl": 90.0},
            "gate": "task.run",
            "artifact": artifact,
            "metrics": {"buckets": [1.0, 60.0]},
        }
    }


def test_a_task_that_counts_nothing_says_so_by_silence():
    assert "metrics" not in runtime([task("a", metrics={"enabled": False})])["a"]


def test_the_order_of_tasks_changes_nothing():
    tasks = [task("a"), task("b", schedule={"every": "60s"}), task("c", queue="slow")]
    assert dumps(configuration(WORKER, tasks)) == dumps(configuration(WORKER, reversed(tasks)))


@pytest.mark.parametrize("key", ["task_routes", "beat_schedule", "broker_transport_options", "task_annotations", "task_queues"])
def test_the_configuration_is_json(key):
    assert dumps(configuration(WORKER, [task("a", schedule={"cron": "0 3 * * *"})])[key])
