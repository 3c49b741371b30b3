"""Requests as an API server's authorizer sees them, recorded where they leave us (Kubernetes: `RequestInfo`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson

from reconciler.adapters.cluster import KubernetesCluster, Pace
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.adapters.cluster.speaking import Acting, Speaker
from reconciler.adapters.cluster.transport import Reply, Transport
from reconciler.model.rights import ACCOUNT, RBAC

_ADDRESS = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/v[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[a-z]+))?$"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asked(NamedTuple):
    """What somebody has to be allowed. `user`: who is impersonated; empty: ourselves."""

    verb: str
    group: str
    resource: str
    """With its subresource: `pods/exec`."""
    namespace: str = ""
    name: str = ""
    user: str = ""


class Sent(NamedTuple):
    """A request and its answer."""

    method: str
    path: str
    user: str
    status: int
    role: str = ""
    """The role that a binding leads to."""

    @property
    def writes(self) -> bool:
        """Whether it was to change something."""
        return self.method != "GET" and "dryRun" not in self.path


def asked(sent: Sent) -> Iterator[Asked]:
    """What a request asks for: itself; the right to create, where an apply did; and what writing a role, a binding or as another takes."""
    parts = urlsplit(sent.path)
    match = _ADDRESS.match(parts.path)
    assert match, sent.path
    group, resource = match["group"] or "", match["resource"] + (f"/{match['part']}" if match["part"] else "")
    what = Asked("", group, resource, match["namespace"] or "", match["name"] or "", sent.user)
    if sent.method == "GET":
        verb = "watch" if "watch" in parse_qs(parts.query) else "get" if what.name else "list"
        yield what._replace(verb=verb)
        return
    yield what._replace(verb=_VERBS[sent.method])
    if sent.method == "PATCH" and sent.status == 201:
        yield what._replace(verb="create")
    if sent.user:
        namespace = sent.user.split(":")[2]
        yield Asked("impersonate", "", "serviceaccounts", namespace, ACCOUNT)
    if sent.method == "PATCH" and (group, resource) == (RBAC, "roles"):
        yield what._replace(verb="escalate")
    if sent.method == "PATCH" and sent.role:
        yield Asked("bind", RBAC, "roles", what.namespace, sent.role)


class Recorder(Transport):
    """A transport that keeps what it sent."""

    def __init__(self, access: Access, pace: Pace) -> None:
        super().__init__(access, pace)
        self.sent: list[Sent] = []

    async def send(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        content: str | None = None,
        accept: str | None = None,
        user: str | None = None,
    ) -> Reply:
        reply = await super().send(method, path, data, content, accept, user)
        body: Mapping[str, Any] = orjson.loads(data) if data else {}
        role = body["roleRef"]["name"] if body.get("kind") == "RoleBinding" else ""
        self.sent.append(Sent(method, path, user or "", reply.status, role))
        return reply

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with super().stream(path) as response:
            self.sent.append(Sent("GET", path, "", response.status))
            yield response


def recording(access: Access, acting: Acting | None) -> tuple[KubernetesCluster, Recorder]:
    """A cluster, and what it sends."""
    cluster = KubernetesCluster(access, acting=acting)
    recorder = Recorder(access, Pace())
    cluster._opened = recorder, Speaker(recorder, acting)
    return cluster, recorder


def granted(rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Every single right that rules of a role grant: verb, group, resource, and name (empty: all)."""
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield verb, group, resource, name


def uses(one: Asked, right: tuple[str, str, str, str]) -> bool:
    """Whether a right allows what was asked for, its namespace aside."""
    verb, group, resource, name = right
    return (verb, group, resource) == one[:3] and name in ("", one.name)
