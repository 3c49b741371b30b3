"""Reach: how an operator gets to the API server. In a pod by the pod's own account, elsewhere as the commands do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import isinf
from pathlib import Path

from reconciler.adapters.cluster import Access, KubernetesCluster, access, identify, inside
from reconciler.adapters.waker import Login
from reconciler.core.acting import acting
from reconciler.model.fleet import Environment
from reconciler.ports import OnRequest
from reconciler.shell.refusal import Refusal


def reach(environment: Environment, environ: Mapping[str, str], root: Path) -> Access:
    """The server, and as whom. Raises Unreachable; Refusal for an environment that is no cluster."""
    target = environment.target.kubernetes
    if target is None:
        raise Refusal(f"environment {environment.name} is no Kubernetes cluster", "an operator needs one; choose another with --env")
    pod = inside(environ)
    if pod is not None:
        return pod
    return access(environ, str(root / target.kubeconfig) if target.kubeconfig else None, target.context)


def connected(found: Access, on_request: OnRequest) -> KubernetesCluster:
    """The cluster, workloads written as the accounts of their tenants."""
    return KubernetesCluster(found, acting=acting, on_request=on_request)


async def login(found: Access) -> Login:
    """The same for Kopf, which asks again when it has run out."""
    now = await identify(found.tokens)
    certificate = now.certificate or found.certificate
    plain = Login(
        server=found.server,
        authority=found.authority,
        insecure=found.insecure,
        token=now.authorization.removeprefix("Bearer ") if now.authorization else None,
        expires=None if isinf(now.expires) else datetime.fromtimestamp(now.expires, UTC),
    )
    return replace(plain, certificate=certificate.certificate, key=certificate.key) if certificate else plain
