"""Requests to an API server are counted, each try of them."""

from __future__ import annotations

import pytest

from reconciler.adapters.cluster import Access, Pace
from reconciler.adapters.cluster.transport import Transport
from reconciler.adapters.metrics import Metrics
from reconciler.ports import Unreachable
from tests.outside.happened import vitals
from tests.outside.receiver import receiving
from tests.outside.test_metrics import value


async def test_each_try_is_counted_with_what_came_of_it():
    metrics = Metrics("0.1.0", "trial", vitals)
    async with receiving(503, "reset", 200, 404) as server:
        transport = Transport(Access("here", server.url("")), Pace(first=0.001, longest=0.001), metrics.request)
        assert (await transport.send("PATCH", "/api/v1/x")).status == 200
        assert (await transport.send("GET", "/api/v1/x")).status == 404
        async with transport.stream("/api/v1/x?watch=true") as response:
            assert response.status == 204
        await transport.close()
    assert {code: value(metrics, "api_requests_total", verb="PATCH", code=code) for code in ("503", "0", "200")} == {
        "503": 1,
        "0": 1,
        "200": 1,
    }
    assert value(metrics, "api_requests_total", verb="GET", code="404") == 1
    assert value(metrics, "api_requests_total", verb="WATCH", code="204") == 1
    assert value(metrics, "api_request_seconds_count", verb="PATCH") == 3


async def test_a_server_that_is_not_there_is_counted_too():
    metrics = Metrics("0.1.0", "trial", vitals)
    transport = Transport(Access("here", "http://127.0.0.1:1"), Pace(first=0.001, longest=0.001), metrics.request)
    with pytest.raises(Unreachable):
        await transport.send("GET", "/api/v1/x")
    await transport.close()
    assert value(metrics, "api_requests_total", verb="GET", code="0") == 2
