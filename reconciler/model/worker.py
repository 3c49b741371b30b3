"""Worker applications: the `worker` block of a service, which its tasks are routed by."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from reconciler.model.quantities import Duration
from reconciler.model.spec import Int, LinkName, Name, Port, PortName, SecretKey, Spec, exactly_one

CelerySymbol = Annotated[
    str,
    Field(
        title="a Celery application: `module`, or `module:name`",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?$",
        max_length=200,
        examples=["core_tasks.app:app"],
    ),
]
Count = Annotated[Int, Field(ge=0, le=1000)]
Positive = Annotated[Int, Field(ge=1, le=1000)]


class Connection(Spec):
    """Where a broker or a result backend is: a Redis service of the fleet, or a secret that holds the whole URL. One of the two."""

    one_of: ClassVar = ("service", "secret")

    service: LinkName | None = None
    """A service that speaks Redis: `redis`, or `platform/redis` of another tenant."""
    port: PortName | None = None
    """Port of that service; its only port needs no naming."""
    database: Annotated[Int, Field(ge=0, le=65535)] = 0
    """Number of the Redis database."""
    secret: SecretKey | None = None
    """A secret with a URL that Celery understands: `core-broker/url`."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(self)
        return self


class Queue(Spec):
    """One queue, and the Deployment that works it off."""

    concurrency: Positive = 1
    """Tasks that one replica runs at a time (`celery worker --concurrency`)."""
    replicas: Count | None = None
    """Worker pods of this queue; by default the service's `replicas`."""
    hardware: Name | None = None
    """Hardware profile of one worker pod; by default the service's."""
    max_tasks_per_child: Annotated[Int, Field(ge=1)] | None = None
    """A worker process is replaced after so many tasks: the cure for libraries that leak."""


class Beat(Spec):
    """The one process that puts scheduled tasks on their queues."""

    hardware: Name | None = None
    """Hardware profile; by default the service's."""


class Flower(Spec):
    """The monitoring page of the worker application."""

    hardware: Name | None = None
    """Hardware profile; by default the service's."""
    port: Port = 5555
    """Port of the page and of its Prometheus metrics."""


class WorkerSpec(Spec):
    """A Celery application: tasks that name this service run in it."""

    app: CelerySymbol
    """The application as `celery -A` takes it."""
    broker: Connection
    """Where messages wait."""
    result_backend: Connection | None = None
    """Where results are kept; without one results are ignored."""
    queues: Annotated[dict[Name, Queue], Field(min_length=1)]
    """Queues by name; each has a Deployment of its own, so a full queue starves no other."""
    default_queue: Name | None = None
    """Queue of tasks that name none; by default the first by name."""
    visibility_timeout: Duration = 3_600_000
    """After this long an unacknowledged message is delivered again; longer than any task's time limit."""
    prefetch: Annotated[Int, Field(ge=0, le=1000)] = 1
    """Messages that each process reserves ahead (`worker_prefetch_multiplier`); 1 keeps long tasks from hoarding."""
    beat: Beat | None = None
    """Present when tasks of this worker have schedules: `beat: {}` is enough."""
    flower: Flower | None = None
    """Present when the monitoring page is wanted: `flower: {}` is enough."""

    @property
    def first_queue(self) -> str:
        """The queue of tasks that name none."""
        return self.default_queue or min(self.queues)


SETTINGS_FOLDER = "/etc/fleetwright/"
CONFIGURATION = SETTINGS_FOLDER + "celery.json"
"""Where the runtime in an image finds Celery's settings."""
TASKS = SETTINGS_FOLDER + "tasks.json"
"""Where it finds what it must know of each task beyond Celery."""
RUN_TASK = ("python3", "-m", "fleet_runtime", "run")
"""Runs one task by its name, in the foreground; ends with 0 when it succeeded."""
BROKER_URL, RESULT_BACKEND = "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"
"""Variables by which Celery overrides its settings `broker_url` and `result_backend`: addresses are no part of the configuration file."""
