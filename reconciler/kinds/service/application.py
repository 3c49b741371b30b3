"""A worker application's objects: its Celery configuration, workers by queue, beat, Flower, and its tasks that run as jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reconciler.kinds.service import network, scaling, storage
from reconciler.kinds.service.health import probes
from reconciler.kinds.service.setting import Setting, pod
from reconciler.kinds.service.spec import Health
from reconciler.kinds.task.celery import configuration, runtime
from reconciler.kinds.task.schedules import schedule_cron
from reconciler.kinds.task.spec import TaskSpec
from reconciler.model.canonical import dumps
from reconciler.model.fleet import Hardware, Resource
from reconciler.model.graph import Graph
from reconciler.model.manifests import Draft
from reconciler.model.quantities import seconds
from reconciler.model.refs import Ref
from reconciler.model.worker import BROKER_URL, CONFIGURATION, RESULT_BACKEND, RUN_TASK, TASKS, Connection, Queue, WorkerSpec
from reconciler.model.workload import TMP, Pod, Timetable, cron_job, deployment, selector

WORKER, BEAT, JOB = "worker", "beat", "job"
_SETTINGS = "celery"
_NEVER = "0 0 1 1 *"
"""A suspended CronJob must have some schedule."""
_FLOWER_HEALTH = Health.model_validate({"http": "/healthcheck"})


def application(here: Setting, worker: WorkerSpec) -> Iterator[Draft]:
    """Every object of a worker application besides what any service has around it."""
    tasks = [task for task in (here.graph.get(ref, TaskSpec) for ref in _tasks(here)) if task is not None]
    settings = {CONFIGURATION: dumps(configuration(worker, tasks)).decode(), TASKS: dumps(runtime(tasks)).decode()}
    files = storage.config_map(here.name, here.namespace, settings, _SETTINGS)
    yield here.draft(files)
    config = storage.config_map(here.name, here.namespace, here.spec.config, "config") if here.spec.config else None
    if config is not None:
        yield here.draft(config)
    base = _base(here, worker, pod(here, config), files)
    for body in (*_workers(here, worker, base), *_beat(here, worker, base), *_flower(here, worker, base)):
        yield here.draft(body)
    for task in tasks:
        if task.spec.runner == "job":
            yield Draft(_job(here, base, task), task.ref, wave=here.spec.wave)


def _tasks(here: Setting) -> Iterator[Ref]:
    yield from sorted(here.graph.linking(here.resource.ref, "Task"))


def _base(here: Setting, worker: WorkerSpec, plain: Pod, files: dict[str, Any]) -> Pod:
    """What all pods of the application have in common: settings and where the broker is."""
    env, secrets = dict(plain.env), dict(plain.secrets)
    for variable, connection in ((BROKER_URL, worker.broker), (RESULT_BACKEND, worker.result_backend)):
        if connection is None:
            continue
        if connection.secret is not None:
            secrets[variable] = connection.secret
        else:
            env[variable] = _redis(connection, here.resource.ref.tenant, here.graph)
    return replace(
        plain,
        env=env,
        secrets=secrets,
        ports={},
        probes={},
        volumes=[storage.file_volume(files, _SETTINGS), *plain.volumes],
        mounts=[*storage.file_mounts([CONFIGURATION, TASKS], _SETTINGS), *plain.mounts],
    )


def _redis(connection: Connection, tenant: str, graph: Graph) -> str:
    """The broker by its name inside the cluster. Its port is part of its spec, which is known when this is rendered."""
    owner, _, name = (connection.service or "").rpartition("/")
    ref = Ref("Service", name, owner or tenant)
    return (
        f"redis://{name}.{graph.environment.namespace(ref.tenant)}.svc:{network.port_of(graph, ref, connection.port)}/{connection.database}"
    )


def _workers(here: Setting, worker: WorkerSpec, base: Pod) -> Iterator[dict[str, Any]]:
    health = here.spec.health
    for name, queue in sorted(worker.queues.items()):
        hardware = _hardware(here, queue.hardware)
        body = replace(
            base,
            name=f"{here.name}-{name}",
            component=WORKER,
            args=_celery(worker, WORKER, *_worker_flags(name, queue)),
            hardware=hardware,
            ports=here.spec.ports,
            probes=probes(health, here.spec.ports) if health is not None else {},
        )
        wanted = scaling.fewest(here.spec) if queue.replicas is None else queue.replicas
        recreate = hardware.gpu_memory > 0 or storage.exclusive(here.spec)
        yield deployment(body, here.namespace, here.replicas(wanted), recreate=recreate)
        if wanted > 1:  # also while its tenant is suspended: nothing is deleted
            yield scaling.budget(body.name, here.namespace, here.spec.disruption, selector(body))


def _worker_flags(name: str, queue: Queue) -> Iterator[str]:
    yield from ("--queues", name, "--hostname", f"{name}@%h", "--concurrency", str(queue.concurrency), "--loglevel", "INFO")
    if queue.max_tasks_per_child is not None:
        yield from ("--max-tasks-per-child", str(queue.max_tasks_per_child))


def _celery(worker: WorkerSpec, command: str, *flags: str) -> list[str]:
    return ["celery", "--app", worker.app, command, *flags]


def _beat(here: Setting, worker: WorkerSpec, base: Pod) -> Iterator[dict[str, Any]]:
    """Two beats would start everything twice: the old one goes before the new one comes."""
    if worker.beat is None:
        return
    flags = ("--schedule", f"{TMP}/celerybeat-schedule", "--pidfile", "", "--loglevel", "INFO")
    body = replace(
        base,
        name=f"{here.name}-{BEAT}",
        component=BEAT,
        args=_celery(worker, BEAT, *flags),
        hardware=_hardware(here, worker.beat.hardware),
    )
    yield deployment(body, here.namespace, here.replicas(1), recreate=True)


def _flower(here: Setting, worker: WorkerSpec, base: Pod) -> Iterator[dict[str, Any]]:
    if worker.flower is None:
        return
    ports = {network.FLOWER: worker.flower.port}
    body = replace(
        base,
        name=f"{here.name}-{network.FLOWER}",
        component=network.FLOWER,
        args=_celery(worker, network.FLOWER, f"--port={worker.flower.port}"),
        hardware=_hardware(here, worker.flower.hardware),
        ports=ports,
        probes=probes(_FLOWER_HEALTH, ports),
    )
    yield deployment(body, here.namespace, here.replicas(1), recreate=False)
    yield network.service(body.name, here.namespace, selector(body), ports)


def _hardware(here: Setting, profile: str | None) -> Hardware:
    """A profile of its own, or the service's."""
    fleet = here.graph.fleet.spec
    return here.hardware if profile is None or fleet is None else fleet.hardware.get(profile, here.hardware)


def _job(here: Setting, base: Pod, task: Resource[TaskSpec]) -> dict[str, Any]:
    spec = task.spec
    timetable = Timetable(
        cron=_NEVER if spec.schedule is None else schedule_cron(spec.schedule),
        timezone="UTC" if spec.schedule is None else spec.schedule.timezone,
        suspended=here.suspended or spec.schedule is None,
        attempts=spec.retry.attempts,
        limit=None if spec.time_limit is None else seconds(spec.time_limit),
    )
    return cron_job(replace(base, name=task.ref.name, component=JOB, args=[*RUN_TASK, task.ref.name]), here.namespace, timetable)
