"""Prometheus metrics: counted from happenings and requests, and gauges that are read when somebody scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.model.happenings import (
    ApprovalNeeded,
    BuildPutBack,
    ConditionChanged,
    ConflictFound,
    DriftRepaired,
    Happening,
    LeaseChanged,
    PauseChanged,
    RunBegan,
    RunEnded,
    SourceChanged,
    SourceState,
    Vitals,
    VulnerabilitiesFound,
)
from reconciler.model.manifests import INSTALLED, SHAPES
from reconciler.model.projection import Condition

OTHER = "other"
"""Stands for every value of a label that is none of those that are known: strangers have a part in some, and each value costs memory."""
_KINDS = frozenset(kind for _, kind in (*SHAPES, *INSTALLED))
_RESOURCES = frozenset({"Tenant", "Service", "Task", "Image", "ToolCatalog", "PolicyPack"})
_PHASES = frozenset({"read", "plan", "apply", "project"})
_CONDITIONS = frozenset(Condition.model_fields["type"].annotation.__args__)  # type: ignore[union-attr]
_BECAUSE = frozenset({"commit", "resync", "drift", "asked", "healed", "fallback"})
_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "WATCH"})
_REASONS = 40
"""Reasons of Ready that are told apart; the rest is `other`."""
_RUNS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_REPAIRS = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 30)
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


class Metrics:
    """A listener that counts. Safe to be scraped from any thread."""

    def __init__(self, version: str, environment: str, vitals: Callable[[], Vitals], waiting: Callable[[], int] = lambda: 0) -> None:
        """`waiting`: how many notifications wait to be taken."""
        self.registry = registry = CollectorRegistry()
        self._runs = Counter("fleetwright_runs", "Runs by what woke them and how they ended.", ("because", "ending"), registry=registry)
        self._seconds = Histogram(
            "fleetwright_reconcile_seconds", "Seconds of runs by phase.", ("phase",), buckets=_RUNS, registry=registry
        )
        self._writes = Counter("fleetwright_writes", "Objects that runs wrote, by what was done.", ("action",), registry=registry)
        self._repairs = Counter("fleetwright_drift_repairs", "Objects put back as applied, by kind.", ("kind",), registry=registry)
        self._repair = Histogram(
            "fleetwright_drift_repair_seconds", "Seconds from seeing a drift to its repair.", buckets=_REPAIRS, registry=registry
        )
        self._conflicts = Counter("fleetwright_conflicts", "Objects found fought over, by kind.", ("kind",), registry=registry)
        self._conditions = Counter(
            "fleetwright_condition_changes", "Changes of conditions, by kind of resource.", ("kind", "type", "status"), registry=registry
        )
        self._approvals = Counter("fleetwright_approvals_asked", "Times that a run asked for a person.", registry=registry)
        self._leases = Counter("fleetwright_lease_changes", "Times that the Lease was got or lost.", registry=registry)
        self._source = Gauge(
            "fleetwright_source_state", "How the repository stands: 1 for the state it is in.", ("state",), registry=registry
        )
        self._requests = Counter(
            "fleetwright_api_requests", "Requests to the API server; code 0: no answer.", ("verb", "code"), registry=registry
        )
        self._request = Histogram(
            "fleetwright_api_request_seconds", "Seconds until the API server answered.", ("verb",), buckets=_REQUESTS, registry=registry
        )
        self._notifications = Counter(
            "fleetwright_notifications", "Tries to tell a target, by its type and what came of it.", ("type", "outcome"), registry=registry
        )
        Info("fleetwright_build", "What runs here.", registry=registry).info({"version": version, "environment": environment})
        registry.register(_Gauges(vitals, waiting))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._because: dict[str, str] = {}
        for state in SourceState:
            self._source.labels(state.value)

    def hear(self, happening: Happening) -> None:
        """Count it."""
        match happening:
            case SourceChanged(state=state):
                for one in SourceState:
                    self._source.labels(one.value).set(one is state)
            case RunBegan(run=run, because=because):
                self._because = {run: _known(because, _BECAUSE)}
            case RunEnded():
                self._ended(happening)
            case DriftRepaired(id=id, seconds=seconds):
                self._repairs.labels(_known(id.kind, _KINDS)).inc()
                self._repair.observe(seconds)
            case ConflictFound() | ConditionChanged() | ApprovalNeeded() | LeaseChanged():
                self._count(happening)
            case PauseChanged() | BuildPutBack():
                pass  # gauges tell it: what is paused, what is held
            case VulnerabilitiesFound():
                pass  # no operator finds them: `fleet images rescan` does
            case _:
                assert_never(happening)

    def request(self, verb: str, status: int, seconds: float) -> None:
        """A request to the API server was answered, or was not (status 0)."""
        name = _known(verb, _VERBS)
        self._requests.labels(name, str(status) if status == 0 or 100 <= status < 600 else OTHER).inc()
        self._request.labels(name).observe(seconds)

    def notification(self, type: str, outcome: str) -> None:
        """A target was told, or was not."""
        self._notifications.labels(type, outcome).inc()

    def page(self, accept: str) -> tuple[bytes, str]:
        """What a scrape gets, and its content type, for the header `Accept`."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    def _count(self, happening: ConflictFound | ConditionChanged | ApprovalNeeded | LeaseChanged) -> None:
        match happening:
            case ConflictFound(id=id):
                self._conflicts.labels(_known(id.kind, _KINDS)).inc()
            case ConditionChanged(ref=ref, type=type, status=status):
                values = _known(ref.kind, _RESOURCES), _known(type, _CONDITIONS), _known(status, ("True", "False", "Unknown"))
                self._conditions.labels(*values).inc()
            case ApprovalNeeded():
                self._approvals.inc()
            case LeaseChanged():
                self._leases.inc()

    def _ended(self, run: RunEnded) -> None:
        self._runs.labels(self._because.pop(run.run, OTHER), run.ending.value).inc()
        for phase, seconds in run.seconds.items():
            self._seconds.labels(_known(phase, _PHASES)).observe(seconds)
        for action, count in (("create", run.created), ("update", run.updated), ("delete", run.deleted), ("fail", run.failed)):
            self._writes.labels(action).inc(count)


class _Gauges(Collector):
    """The vitals, as they are when asked for."""

    def __init__(self, vitals: Callable[[], Vitals], waiting: Callable[[], int]) -> None:
        self._vitals, self._waiting = vitals, waiting

    def describe(self) -> Iterable[Metric]:
        """Names alone: nothing is asked at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Each gauge."""
        now = self._vitals()
        single: Mapping[str, tuple[str, float]] = {
            "loop_age_seconds": ("Since the loop last turned.", now.beat),
            "leading": ("1 while it holds the Lease of its environment.", now.leading),
            "standby": ("1 while it waits for another operator to go.", now.standby),
            "source_age_seconds": ("Since the repository was last fetched without fault.", now.source_age),
            "last_success_age_seconds": ("Since a run last ended with all as desired.", now.success_age),
            "queue_depth": ("Work that waits.", now.queue),
            "queue_age_seconds": ("How long the oldest work waits.", now.queue_age),
            "holds": ("Resources on a pinned build.", now.holds),
            "held_guards": ("Steps that wait for a person.", now.held_guards),
            "paused": ("What somebody paused.", now.paused),
            "notifications_waiting": ("Notifications that were not taken yet.", self._waiting()),
        }
        for name, (about, value) in single.items():
            yield GaugeMetricFamily(f"fleetwright_{name}", about, value=float(value))
        family = GaugeMetricFamily(
            "fleetwright_resources", "Resources by kind and by why they are ready or not.", labels=("kind", "reason")
        )
        for (kind, reason), count in _bounded(now.ready).items():
            family.add_metric((kind, reason), count)
        yield family


def _bounded(ready: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
    reasons = frozenset(sorted({reason for _, reason in ready})[:_REASONS])
    found: dict[tuple[str, str], int] = {}
    for (kind, reason), count in ready.items():
        key = (_known(kind, _RESOURCES), _known(reason, reasons))
        found[key] = found.get(key, 0) + count
    return found


def _known(value: str, values: Iterable[str]) -> str:
    return value if value in values else OTHER
