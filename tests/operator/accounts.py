"""The accounts of an installation, and requests as them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from multidict import CIMultiDict

from reconciler.adapters.cluster.addresses import object_path
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import MANAGER, Body, identify
from tests.engines.client import APPLY, Answer, Api

TOKENS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts"


def config(namespace: str, name: str = "some") -> dict[str, Any]:
    """A small object."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"a": "b"}}


class Account:
    """Requests with a token of its own, as itself or as whom it impersonates."""

    def __init__(self, api: Api, token: str) -> None:
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", user: str = "", groups: Iterable[str] = ()
    ) -> Answer:
        """One request; `user` is impersonated, as one of `groups`."""
        headers = CIMultiDict({**self._headers, "Content-Type": kind, **({"Impersonate-User": user} if user else {})})
        headers.extend(("Impersonate-Group", group) for group in groups)
        async with self._api.session.request(method, self._api.server + path, json=body, headers=headers) as got:
            return Answer(got.status, await got.json(content_type=None))

    async def apply(self, body: Body, user: str = "", query: str = "") -> Answer:
        """Server-side apply."""
        path = f"{object_path(identify(body))}?fieldManager={MANAGER}&force=true&fieldValidation=Strict{query}"
        return await self.ask("PATCH", path, dict(body), APPLY, user)

    async def delete(self, body: Body, user: str = "") -> Answer:
        """Deletes it."""
        return await self.ask("DELETE", object_path(identify(body)), user=user)

    async def may(self, right: Mapping[str, str], user: str = "") -> bool:
        """What the server says of a right (SelfSubjectAccessReview)."""
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": dict(right)}}
        got = await self.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, user=user)
        assert got.status == 201, got.body
        return bool(got.body["status"]["allowed"])


@asynccontextmanager
async def account(api: Api, name: str) -> AsyncIterator[Account]:
    """An account of the system namespace by a token that the server issues."""
    got = await api.ask("POST", f"{TOKENS}/{name}/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    assert got.status == 201, got.body
    yield Account(api, got.body["status"]["token"])
