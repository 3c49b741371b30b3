"""What a task's spec must be beyond its types: a schedule that fires, a queue that exists, limits that hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.kinds.task.schedules import NeverFires, parse_cron, schedule_cron
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.findings import Code, Finding, Pointer, error, warning
from reconciler.model.fleet import Resource
from reconciler.model.kind import Scene
from reconciler.model.quantities import format_duration
from reconciler.model.worker import WorkerSpec

CRON = error(
    "TSK001",
    "not a cron expression",
    "A schedule's `cron` has five fields: minute, hour, day of month, month, day of week. Only what Celery and Kubernetes read alike "
    "is taken: numbers, English three-letter names, ranges, lists and steps; and day of month and day of week not both narrowed.",
)
NEVER = error("TSK002", "schedule that never fires", "No date matches the schedule, such as 30 February: the task would never run.")
TIMEZONE = error("TSK003", "unknown time zone", "`timezone` is a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`.")
NO_WORKER = error("TSK004", "service without a worker block", "`worker` must name a service of the same tenant that has a `worker` block.")
QUEUE = error("TSK005", "unknown queue", "`queue` must be one of the queues in the `worker` block of the task's worker.")
LIMIT = error(
    "TSK006",
    "time limit beyond the visibility timeout",
    "A broker with a visibility timeout (Redis, SQS) hands an unacknowledged message out again after it: a task that may run longer runs "
    "twice. `timeLimit` must be below the worker's `visibilityTimeout`.",
)
NO_BEAT = error("TSK007", "schedule without a beat", "A Celery task's schedule needs `beat: {}` in the `worker` block of its worker.")
JOB = error(
    "TSK008", "not for a job", "`queue`, `rateLimit` and `dedupe` are the queue's business: `runner: job` starts a pod and has no queue."
)
JOB_RHYTHM = error(
    "TSK009",
    "a job cannot keep this rhythm",
    "Kubernetes' CronJob has minutes as its smallest step and no intervals: `every` must divide an hour or a day into whole minutes.",
)
PLACEHOLDER = error(
    "TSK010", "dedupe key with an unknown argument", "`{name}` in a dedupe key stands for a keyword argument; a scheduled run must give it."
)
DEDUPE_TTL = warning(
    "TSK011",
    "dedupe key outlives the schedule",
    "A key that stays taken for longer than the time between two scheduled runs keeps every second run away.",
)
CODES: tuple[Code, ...] = (
    CRON, NEVER, TIMEZONE, NO_WORKER, QUEUE, LIMIT, NO_BEAT, JOB, JOB_RHYTHM, PLACEHOLDER, DEDUPE_TTL,
)  # fmt: skip

Task = Resource[TaskSpec]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def checks(task: Task, scene: Scene) -> Iterator[Finding]:
    """Findings on one task."""
    yield from _schedule(task)
    yield from _dedupe(task)
    if task.spec.runner == "job":
        yield from _job(task)
    yield from _worker(task, scene)


def _at(task: Task, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(task.document.place(("spec", *pointer)), message, fix, task.ref)


def _schedule(task: Task) -> Iterator[Finding]:
    schedule = task.spec.schedule
    if schedule is None or schedule.cron is None:
        return
    try:
        parse_cron(schedule.cron)
    except NeverFires as problem:
        yield _at(task, NEVER, ("schedule", "cron"), str(problem), "change the day or the month")
    except ValueError as problem:
        yield _at(task, CRON, ("schedule", "cron"), str(problem), "write five fields, such as `15 3 * * *` for every day at 03:15")
    try:
        ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fix = "use a name such as Europe/Berlin, America/New_York or UTC"
        yield _at(task, TIMEZONE, ("schedule", "timezone"), f"{schedule.timezone!r} is not a time zone", fix)


def _dedupe(task: Task) -> Iterator[Finding]:
    dedupe, schedule = task.spec.dedupe, task.spec.schedule
    if dedupe is None:
        return
    if schedule is not None:
        for name in _PLACEHOLDER.findall(dedupe.key):
            if name not in task.spec.arguments:
                message = f"the dedupe key needs the argument {name!r}, which the scheduled run does not give"
                yield _at(task, PLACEHOLDER, ("dedupe", "key"), message, f"add `{name}` to `arguments`, or take it out of the key")
        if schedule.every is not None and dedupe.ttl > schedule.every:
            message = f"the key stays taken for {format_duration(dedupe.ttl)}, the task is due every {format_duration(schedule.every)}"
            yield _at(task, DEDUPE_TTL, ("dedupe", "ttl"), message, f"use at most {format_duration(schedule.every)}")


def _job(task: Task) -> Iterator[Finding]:
    spec = task.spec
    for key, given in (("queue", spec.queue), ("rateLimit", spec.rate_limit), ("dedupe", spec.dedupe)):
        if given is not None:
            yield _at(task, JOB, (key,), f"`{key}` means nothing to `runner: job`", f"take `{key}` out, or use `runner: celery`")
    if spec.schedule is not None and spec.schedule.every is not None:
        try:
            schedule_cron(spec.schedule)
        except ValueError as problem:
            yield _at(task, JOB_RHYTHM, ("schedule", "every"), str(problem), "use a divisor such as 5m, 30m, 6h or 1d, or a `cron`")


def _worker(task: Task, scene: Scene) -> Iterator[Finding]:
    service = next((scene.fleet.resources.get(ref) for link, ref in scene.links(task.ref) if link.kind == "Service"), None)
    if service is None:
        return
    # A service knows its tasks, so a task cannot know the service's type: it asks for the one field they share.
    worker = getattr(service.spec, "worker", None)
    if not isinstance(worker, WorkerSpec):
        fix = f"give {service.ref.short} a `worker` block, or name a service that has one"
        yield _at(task, NO_WORKER, ("worker",), f"{service.ref.short} has no `worker` block", fix)
    elif task.spec.runner == "celery":
        yield from _queued(task, worker)


def _queued(task: Task, worker: WorkerSpec) -> Iterator[Finding]:
    spec = task.spec
    if spec.queue is not None and spec.queue not in worker.queues:
        near = get_close_matches(spec.queue, worker.queues, 1)
        fix = f"did you mean {near[0]!r}?" if near else f"{spec.worker} has the queues {', '.join(sorted(worker.queues))}"
        yield _at(task, QUEUE, ("queue",), f"{spec.worker} has no queue {spec.queue!r}", fix)
    if spec.time_limit is not None and spec.time_limit >= worker.visibility_timeout:
        timeout = format_duration(worker.visibility_timeout)
        message = f"a run may take {format_duration(spec.time_limit)}, and {spec.worker} hands it out again after {timeout}"
        yield _at(task, LIMIT, ("timeLimit",), message, f"stay below {timeout}, or raise `visibilityTimeout` of {spec.worker}")
    if spec.schedule is not None and worker.beat is None:
        yield _at(task, NO_BEAT, ("schedule",), f"{spec.worker} has no beat, so nothing starts this", f"add `beat: {{}}` to {spec.worker}")
