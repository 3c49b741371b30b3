"""Targets: the adapter for where an environment lives."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reconciler.model.fleet import Environment
from reconciler.ports import Cluster, OnRequest
from reconciler.shell.refusal import Refusal


@asynccontextmanager
async def connected(environment: Environment, root: Path, on_request: OnRequest | None = None) -> AsyncIterator[Cluster]:
    """The environment's target, closed at the end. `on_request` hears of each request to an API server."""
    cluster = _connect(environment, root, on_request)
    try:
        yield cluster
    finally:
        await cluster.close()


def _connect(environment: Environment, root: Path, on_request: OnRequest | None) -> Cluster:
    target = environment.target
    if target.kubernetes is not None:
        from reconciler.adapters.cluster import connect

        kubeconfig = target.kubernetes.kubeconfig
        return connect(os.environ, str(root / kubeconfig) if kubeconfig else None, target.kubernetes.context, on_request=on_request)
    if target.memory is not None:
        from reconciler.adapters.memory import MemoryCluster

        return MemoryCluster()
    raise Refusal(f"environment {environment.name} has a target that this version cannot reach", "use `target: {kubernetes: {}}`")


def place_of(environment: Environment) -> str:
    """Where an environment lives, for headers: `kubernetes, context fleet (simulated)`."""
    target = environment.target
    if target.kubernetes is None:
        return "memory" if target.memory is not None else "local"
    where = f"context {target.kubernetes.context}" if target.kubernetes.context else target.kubernetes.kubeconfig or "current context"
    return f"kubernetes, {where}" + (", simulated" if environment.simulated else "")
