"""The Celery configuration of one worker application: pure data, as Celery's lower-case settings name it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.kinds.task.schedules import celery_schedule
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.fleet import Resource
from reconciler.model.quantities import seconds
from reconciler.model.worker import WorkerSpec

Task = Resource[TaskSpec]


def configuration(worker: WorkerSpec, tasks: Iterable[Task]) -> dict[str, Any]:
    """Celery's settings for `worker` with those of `tasks` that run on its queues (Celery 5 "Configuration and defaults").

    JSON holds no schedule objects: the runtime turns each `schedule` of `beat_schedule` into one, see `celery_schedule`.
    """
    queued = sorted((task for task in tasks if task.spec.runner == "celery"), key=lambda task: task.ref.name)
    return {
        "enable_utc": True,
        "timezone": "UTC",
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "task_ignore_result": worker.result_backend is None,
        "task_track_started": True,
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_reject_on_worker_lost": True,
        "task_create_missing_queues": False,
        "task_default_queue": worker.first_queue,
        "task_queues": [{"name": name} for name in sorted(worker.queues)],
        "task_routes": {task.ref.name: {"queue": task.spec.queue or worker.first_queue} for task in queued},
        "task_annotations": {task.ref.name: _annotations(task.spec) for task in queued},
        "beat_schedule": {task.ref.name: _beat(task) for task in queued if task.spec.schedule is not None},
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {"visibility_timeout": seconds(worker.visibility_timeout)},
        "result_backend_transport_options": {"visibility_timeout": seconds(worker.visibility_timeout)},
        "worker_prefetch_multiplier": worker.prefetch,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
    }


def runtime(tasks: Iterable[Task]) -> dict[str, Any]:
    """What the runtime in the image needs to know of each task beyond Celery: what to import, to check before it, and to count."""
    return {task.ref.name: _runtime(task) for task in sorted(tasks, key=lambda task: task.ref.name)}


def _annotations(spec: TaskSpec) -> dict[str, Any]:
    annotations: dict[str, Any] = {
        "acks_late": True,
        "reject_on_worker_lost": spec.reject_on_worker_lost,
        "max_retries": spec.retry.attempts - 1,
    }
    if spec.time_limit is not None:
        annotations["time_limit"] = seconds(spec.time_limit)
    if spec.soft_time_limit is not None:
        annotations["soft_time_limit"] = seconds(spec.soft_time_limit)
    if spec.rate_limit is not None:
        annotations["rate_limit"] = spec.rate_limit
    return annotations


def _beat(task: Task) -> dict[str, Any]:
    schedule = task.spec.schedule
    assert schedule is not None
    entry: dict[str, Any] = {"task": task.ref.name, "schedule": celery_schedule(schedule)}
    if task.spec.arguments:
        entry["kwargs"] = task.spec.arguments
    if schedule.every is not None:
        # A run that waited for longer than the next one is due is dropped: a worker that was away does not work off a day of them.
        entry["options"] = {"expires": seconds(schedule.every)}
    return entry


def _runtime(task: Task) -> dict[str, Any]:
    spec = task.spec
    retry = {"attempts": spec.retry.attempts, "backoff": spec.retry.backoff / 1000, "cap": spec.retry.cap / 1000}
    entry: dict[str, Any] = {"entrypoint": spec.entrypoint, "retry": {**retry, "terminal": list(spec.retry.terminal)}}
    if spec.dedupe is not None:
        entry["dedupe"] = {"key": spec.dedupe.key, "ttl": spec.dedupe.ttl / 1000}
    if spec.artifact is not None:
        entry["artifact"] = {"sha256": spec.artifact.sha256, "signature": spec.artifact.signature}
    if spec.gate is not None:
        entry["gate"] = spec.gate
    if spec.metrics.enabled:
        entry["metrics"] = {"buckets": [bound / 1000 for bound in spec.metrics.buckets]}
    return entry
