"""What a task's spec says: which function runs, on which worker and queue, when, and what happens when it fails."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.quantities import Duration
from reconciler.model.spec import Bool, Int, Invariant, Name, Sha256, Spec, exactly_one

Entrypoint = Annotated[
    str,
    Field(
        title="a Python function: `module:function`",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
        max_length=250,
        examples=["core_tasks.sessions:cleanup"],
    ),
]
"""A Python function as packaging metadata names it: `package.module:function`."""
Cron = Annotated[str, Field(min_length=1, max_length=200, examples=["15 3 * * *"])]
"""Five fields: minute, hour, day of month, month, day of week."""
Timezone = Annotated[
    str,
    Field(
        title="a time zone of the IANA database",
        pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        max_length=64,
        examples=["Europe/Berlin", "UTC"],
    ),
]
"""A name of the IANA time zone database."""
Exception_ = Annotated[str, Field(title="a Python name with its module", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=250)]
"""A Python exception by its full name: `core_tasks.errors.InvalidSpec`, or a built-in such as `ValueError`."""
Rate = Annotated[str, Field(title="a rate: a number, `/`, and `s`, `m` or `h`", pattern=r"^[1-9][0-9]{0,5}/[smh]$", examples=["10/m"])]
"""Runs per second, minute or hour (Celery `rate_limit`), counted per worker process."""
Action = Annotated[
    str,
    Field(
        title="the name of a gate: two or more lower-case words with dots between them",
        pattern=r"^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)+$",
        max_length=64,
        examples=["task.run"],
    ),
]
"""An action that the policy gate decides on."""


class Schedule(Spec):
    """When the task runs by itself. Exactly one of `every` or `cron`."""

    one_of: ClassVar = ("every", "cron")
    invariants: ClassVar = (
        Invariant("!has(self.timezone) || has(self.cron)", "`timezone` goes with `cron`; `every` means the same in all of them"),
    )

    every: Duration | None = None
    """Runs once in each such stretch of time."""
    cron: Cron | None = None
    """Runs at these times: five fields, of which day of month and day of week may not both be narrowed."""
    timezone: Timezone = "UTC"
    """Time zone of `cron`."""

    @model_validator(mode="after")
    def _one_rhythm(self) -> Self:
        exactly_one(self)
        if self.every is not None and self.every < 1000:
            raise ValueError("a task cannot run more often than every second")
        if self.every is not None and "timezone" in self.model_fields_set:
            raise ValueError("`timezone` goes with `cron`; `every` means the same in all of them")
        return self


class Retry(Spec):
    """What happens when the task fails: waits of `backoff`, twice that, four times that, up to `cap`, each with jitter."""

    attempts: Annotated[Int, Field(ge=1, le=100)] = 3
    """Runs in all, the first one included."""
    backoff: Duration = 2_000
    """Wait before the second attempt; doubles each time."""
    cap: Duration = 600_000
    """Longest wait."""
    terminal: tuple[Exception_, ...] = ()
    """Failures that no retry can mend; everything else is recoverable."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.backoff > self.cap:
            raise ValueError("`backoff` is above `cap`")
        return self


class Dedupe(Spec):
    """Keeps a second run away while one with the same key is waiting, running or just done."""

    key: Annotated[str, Field(min_length=1, max_length=200, examples=["cleanup-sessions", "rebuild-index:{tenant}"])]
    """What makes two runs the same; `{argument}` stands for a keyword argument of the run."""
    ttl: Duration
    """How long a key stays taken."""


class Artifact(Spec):
    """What the worker checks before it imports the entry point's code."""

    sha256: Sha256
    """Digest of the module's file."""
    signature: Annotated[str, Field(title="a signature in Base64", pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=2048)] | None = None
    """Base64 of a signature over that digest by one of the fleet's keys."""


class Metrics(Spec):
    """Prometheus counters and histograms of the task: started, succeeded, failed, retried, deduplicated, and its duration."""

    enabled: Bool = True
    """Counts at all."""
    buckets: tuple[Duration, ...] = (100, 500, 1_000, 5_000, 30_000, 120_000, 600_000)
    """Upper bounds of the histogram of durations, in order."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError("`buckets` must rise")
        return self


class TaskSpec(Spec):
    """A task: one function that runs on a schedule, or when somebody asks."""

    invariants: ClassVar = (Invariant("!has(self.softTimeLimit) || has(self.timeLimit)", "`softTimeLimit` needs a `timeLimit` above it"),)

    worker: Name
    """A service of the same tenant that has a `worker` block; the task runs in its image, with its environment."""
    entrypoint: Entrypoint
    """The function that runs."""
    runner: Literal["celery", "job"] = "celery"
    """`celery`: on the worker's queues. `job`: a Kubernetes CronJob on the same image, for work that is long, rare or heavy."""
    queue: Name | None = None
    """Queue of the worker; by default its first. Not for `runner: job`."""
    arguments: dict[
        Annotated[
            str, Field(title="a Python name: letters, digits and `_`, not beginning with a digit", pattern=r"^[A-Za-z_]\w*$", max_length=64)
        ],
        Any,
    ] = Field(default_factory=dict)
    """Keyword arguments of a scheduled run, as JSON."""
    schedule: Schedule | None = None
    """When it runs by itself; without one only when asked."""
    time_limit: Duration | None = None
    """It is stopped after this long; below the worker's visibility timeout, or the broker would hand it out twice."""
    soft_time_limit: Duration | None = None
    """It is told to finish after this long (Celery raises SoftTimeLimitExceeded in it); below `timeLimit`."""
    retry: Retry = Retry.unsaid()
    """What happens when it fails."""
    reject_on_worker_lost: Bool = True
    """It is queued again when its worker dies under it. Say false for what must not run twice."""
    dedupe: Dedupe | None = None
    """Keeps a second run of the same away."""
    rate_limit: Rate | None = None
    """Not more often than this. Not for `runner: job`."""
    artifact: Artifact | None = None
    """What is checked before its code is imported."""
    gate: Action | None = None
    """Action that the policy gate must allow before each run; anything but an explicit yes is a no."""
    metrics: Metrics = Metrics.unsaid()
    """What it counts."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.soft_time_limit is not None and (self.time_limit is None or self.soft_time_limit >= self.time_limit):
            raise ValueError("`softTimeLimit` needs a `timeLimit` above it")
        return self
