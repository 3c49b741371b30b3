"""Traces by OpenTelemetry: a span for each run, and one for each of its phases. Imported only where an endpoint is set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.core.describe import outcome
from reconciler.model.happenings import Happening, RunBegan, RunEnded
from reconciler.model.result import Ending
from reconciler.model.secrecy import redacted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_WELL = frozenset({Ending.COMPLETED, Ending.HELD, Ending.CANCELLED, Ending.STALE, Ending.PAUSED})


def tracing(environ: Mapping[str, str], version: str, environment: str) -> Tracing | None:
    """A listener that sends traces by OTLP over HTTP, as the standard variables say; None where they name no endpoint.

    Raises ImportError where the extra `otel` is not installed.
    """
    if not any(environ.get(name) for name in ENDPOINTS):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = {"service.version": version, "deployment.environment.name": environment}
    if not environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = "fleetwright-operator"
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Tracing:
    """Turns runs into spans. Only a run that ended is told: what has no end is no span."""

    def __init__(self, provider: TracerProvider, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("fleetwright")
        self._nanoseconds = nanoseconds
        self._began: tuple[RunBegan, int] | None = None

    def hear(self, happening: Happening) -> None:
        """Something happened."""
        match happening:
            case RunBegan():
                self._began = (happening, self._nanoseconds())
            case RunEnded():
                self._span(happening)
                self._began = None
            case _:
                pass

    def close(self) -> None:
        """Send what is left, for as long as the exporter's own timeout."""
        self._provider.shutdown()

    def _span(self, run: RunEnded) -> None:
        """Phases follow each other from the run's beginning, for as long as each took."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        end = self._nanoseconds()
        began, because = end - int(sum(run.seconds.values()) * 1e9), ""
        if self._began is not None and self._began[0].run == run.run:
            began, because = self._began[1], self._began[0].because
        attributes = {"fleetwright.run": run.run, "fleetwright.revision": run.revision, "fleetwright.ending": run.ending.value}
        counts = {"created": run.created, "updated": run.updated, "deleted": run.deleted, "failed": run.failed}
        span = self._tracer.start_span("run", start_time=began, attributes=attributes | {"fleetwright.because": because})
        span.set_attributes({f"fleetwright.{name}": count for name, count in counts.items()})
        if run.ending not in _WELL:
            span.set_status(Status(StatusCode.ERROR, redacted(outcome(run))))
        at = began
        for phase, seconds in run.seconds.items():
            inner = self._tracer.start_span(phase, set_span_in_context(span), start_time=at)
            at += int(seconds * 1e9)
            inner.end(at)
        span.end(max(at, end))
