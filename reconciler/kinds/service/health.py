"""Probes: what `health` says, as Kubernetes asks it."""

from __future__ import annotations

from typing import Any

from reconciler.kinds.service.naming import port_named
from reconciler.kinds.service.spec import Health, Probe
from reconciler.model.quantities import seconds

_STARTUP_PERIOD = 5
"""Seconds between questions while a service comes up."""


def probes(health: Health, ports: dict[str, int]) -> dict[str, Any]:
    """Start-up, readiness and liveness probe of one container."""
    question = _question(health, ports)
    failures = max(1, -(-seconds(health.startup) // _STARTUP_PERIOD))
    startup = {
        **question,
        "periodSeconds": _STARTUP_PERIOD,
        "timeoutSeconds": seconds(health.readiness.timeout),
        "failureThreshold": failures,
    }
    return {
        "startupProbe": startup,
        "readinessProbe": question | _pace(health.readiness),
        "livenessProbe": question | _pace(health.liveness),
    }


def _question(health: Health, ports: dict[str, int]) -> dict[str, Any]:
    if health.http is not None:
        return {"httpGet": {"path": health.http, "port": port_named(ports, health.port)}}
    if health.tcp is not None:
        return {"tcpSocket": {"port": health.tcp}}
    assert health.exec is not None
    return {"exec": {"command": list(health.exec)}}


def _pace(probe: Probe) -> dict[str, int]:
    return {"periodSeconds": seconds(probe.period), "timeoutSeconds": seconds(probe.timeout), "failureThreshold": probe.failures}
