from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from reconciler.adapters.tracing import Tracing, tracing
from reconciler.model.result import Ending
from tests.outside.happened import COMMIT, began, drift, ended

SECOND = 1_000_000_000


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(spans: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    moments = iter(range(100 * SECOND, 10_000 * SECOND, 10 * SECOND))
    return Tracing(provider, lambda: next(moments))


def test_a_run_is_a_span_and_its_phases_are_below_it_one_after_the_other(traced, spans):
    for happening in (began(), drift(), ended(created=4)):
        traced.hear(happening)
    found = {span.name: span for span in spans.get_finished_spans()}
    run = found.pop("run")
    assert list(found) == ["read", "plan", "apply", "project"]
    assert {span.parent.span_id for span in found.values()} == {run.context.span_id}
    assert (run.start_time, run.end_time) == (100 * SECOND, 110 * SECOND)
    assert [(span.start_time - run.start_time, span.end_time - span.start_time) for span in found.values()] == [
        (0, SECOND // 4), (SECOND // 4, SECOND // 2), (3 * SECOND // 4, SECOND), (7 * SECOND // 4, SECOND // 4),
    ]  # fmt: skip
    assert run.attributes["fleetwright.revision"] == COMMIT
    assert run.attributes["fleetwright.because"] == "commit"
    assert run.attributes["fleetwright.created"] == 4
    assert run.status.status_code is StatusCode.UNSET


def test_a_run_that_failed_is_an_error_without_secrets(traced, spans):
    traced.hear(ended(Ending.FAILED, message="https://ana:hunter2@git.example"))
    run = next(span for span in spans.get_finished_spans() if span.name == "run")
    assert run.status.status_code is StatusCode.ERROR
    assert "hunter2" not in run.to_json()


class Collector(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []


class Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_spans_reach_a_collector_by_otlp(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    import os

    traced = tracing(os.environ, "0.1.0", "trial")
    assert traced is not None
    traced.hear(began())
    traced.hear(ended())
    traced.close()
    ((path, request),) = collector.requests
    assert path == "/v1/traces"
    about = {one.key: one.value.string_value for one in request.resource_spans[0].resource.attributes}
    assert about["service.name"] == "fleetwright-operator"
    assert about["deployment.environment.name"] == "trial"
    names = [span.name for span in request.resource_spans[0].scope_spans[0].spans]
    assert names == ["read", "plan", "apply", "project", "run"]


def test_without_an_endpoint_nothing_of_it_is_imported():
    program = "import sys; from reconciler.adapters.tracing import tracing; print(tracing({}, 'v', 'e'), any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "None False\n"
