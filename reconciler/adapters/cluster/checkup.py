"""A look at an API server for `fleet doctor`: does it answer, may we do what we do, which secrets are there. Reads only, and no values."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import orjson

from reconciler.adapters.cluster import failures
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.adapters.cluster.reading import decoded
from reconciler.adapters.cluster.transport import Pace, Transport

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_NAMES_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Secrets without what they hold (Kubernetes API concepts, "Retrieving metadata only")."""
_PATIENCE = 10.0


class Right(NamedTuple):
    """Something that may be done to a resource, in one namespace or, where that is empty, in all."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    @property
    def target(self) -> str:
        """What it is about: `deployments.apps in platform`."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{kind} in {self.namespace}" if self.namespace else kind


class Checkup:
    """One API server, as whom the kubeconfig says. Every question may raise Unreachable."""

    def __init__(self, access: Access) -> None:
        self._transport = Transport(access, Pace(patience=_PATIENCE))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self._transport.close()

    async def version(self) -> str:
        """The server's version: `v1.36.0`."""
        reply = await self._transport.send("GET", "/version")
        return str(decoded(self._transport, "tell its version", reply.status, reply.body).get("gitVersion", "unknown"))

    async def denied(self, rights: Iterable[Right]) -> tuple[Right, ...] | None:
        """Those that the server would refuse (SelfSubjectAccessReview); None where it does not review."""
        asked = tuple(rights)
        allowed = await asyncio.gather(*map(self._is_allowed, asked))
        if None in allowed:
            return None
        return tuple(right for right, is_allowed in zip(asked, allowed, strict=True) if not is_allowed)

    async def _is_allowed(self, right: Right) -> bool | None:
        attributes = {name: value for name, value in right._asdict().items() if value}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
        reply = await self._transport.send("POST", _REVIEWS, orjson.dumps(body), "application/json")
        if reply.status in (404, 405):
            return None
        return bool(decoded(self._transport, "review a right", reply.status, reply.body).get("status", {}).get("allowed"))

    async def has_secret(self, namespace: str, name: str) -> bool | None:
        """Whether a secret is there; None where we may not look."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}"
        reply = await self._transport.send("GET", path, accept=_NAMES_ONLY)
        match reply.status:
            case 200:
                return True
            case 404:
                # A server without secrets answers with something that names no secret.
                return False if failures.status_of(reply.body).get("details", {}).get("kind") == "secrets" else None
            case _:
                return None
