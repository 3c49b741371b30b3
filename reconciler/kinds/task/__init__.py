"""Tasks: functions that run on a worker's queues or as jobs. Their worker renders them."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.task.checks import CODES, checks
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.fleet import Resource
from reconciler.model.kind import Column, Kind
from reconciler.model.refs import Link


def links(resource: Resource[TaskSpec]) -> Iterator[Link]:
    """The worker that runs it."""
    yield Link("Service", resource.spec.worker, ("spec", "worker"))


KIND = Kind(
    name="Task",
    folder="tasks",
    scope="tenant",
    spec=TaskSpec,
    plural="fleettasks",
    short_names=("ftask",),
    columns=(
        Column("Worker", ".spec.worker", "The service that runs it."),
        Column("Every", ".spec.schedule.every", "How often it runs."),
        Column("Cron", ".spec.schedule.cron", "When it runs."),
        Column("Queue", ".spec.queue", "Queue of its worker.", wide=True),
    ),
    codes=CODES,
    links=links,
    checks=checks,
)
