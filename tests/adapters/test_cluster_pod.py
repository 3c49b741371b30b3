"""From inside a pod: the account's folder, and what is renewed in it while we run."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from reconciler.adapters.cluster import KubernetesCluster, Pace, access, inside
from reconciler.adapters.cluster.credentials import TokenFile
from reconciler.model.manifests import ObjectId
from reconciler.ports import Unreachable
from tests.engines.binaries import Tier
from tests.engines.certificates import NAMES, issue, issue_all
from tests.engines.client import Api
from tests.engines.cluster import Cluster as Server

SPACE = ObjectId("", "Namespace", "", "default")
HASTY = Pace(patience=2, first=0.01, longest=0.05, connect=2, answer=2)


def folder(path: Path, authority: str, token: str) -> Path:
    """What a pod has of its account."""
    path.mkdir()
    (path / "ca.crt").write_text(authority)
    (path / "token").write_text(token)
    return path


def environ(url: str) -> dict[str, str]:
    """What a pod has in its environment."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


def in_pod(path: Path, url: str) -> KubernetesCluster:
    found = inside(environ(url), path)
    assert found is not None
    return KubernetesCluster(found, pace=HASTY)


@pytest.mark.parametrize(
    ("host", "port", "server"),
    [
        ("10.96.0.1", "443", "https://10.96.0.1:443"),
        ("fd00:10:96::1", "6443", "https://[fd00:10:96::1]:6443"),
        ("kubernetes.default.svc", None, "https://kubernetes.default.svc:443"),
    ],
)
def test_address_is_that_of_the_environment(tmp_path: Path, host: str, port: str | None, server: str):
    path = folder(tmp_path / "account", "PEM", "t")
    found = inside({"KUBERNETES_SERVICE_HOST": host, **({"KUBERNETES_SERVICE_PORT": port} if port else {})}, path)
    assert found is not None
    assert (found.server, found.tokens, found.authority) == (server, TokenFile(path / "token"), "PEM")


def test_outside_of_pods_there_is_no_such_access(tmp_path: Path):
    path = folder(tmp_path / "account", "PEM", "t")
    assert inside({}, path) is None
    assert inside(environ("https://10.96.0.1:443"), tmp_path) is None


def test_an_account_without_certificates_is_told(tmp_path: Path):
    path = folder(tmp_path / "account", "PEM", "t")
    (path / "ca.crt").unlink()
    with pytest.raises(Unreachable, match=r"ca\.crt cannot be read: No such file") as caught:
        inside(environ("https://10.96.0.1:443"), path)
    assert caught.value.fix


def test_a_pod_needs_neither_kubeconfig_nor_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "reconciler.adapters.cluster.kubeconfig.inside", lambda environ: inside(environ, folder(tmp_path / "a", "PEM", "t"))
    )
    assert access(environ("https://10.96.0.1:443")).place == "kubernetes, this pod's cluster"


async def bound_token(api: Api, namespace: str) -> tuple[str, str]:
    """A token that is good as long as a secret is there, and the secret's address."""
    made = await api.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"generateName": "bound-"}})
    assert made.status == 201, made.body
    metadata = made.body["metadata"]
    reference = {"kind": "Secret", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
    spec = {"boundObjectRef": reference, "expirationSeconds": 600}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    got = await api.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/pod/token", request)
    assert got.status == 201, got.body
    return got.body["status"]["token"], f"/api/v1/namespaces/{namespace}/secrets/{metadata['name']}"


@pytest.fixture
async def reader(cluster: Server, api: Api, namespace: str) -> AsyncIterator[str]:
    """A namespace with an account `pod` that may read namespaces."""
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} issues no tokens: this needs a kube-apiserver")
    account: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pod", "namespace": namespace}}
    assert (await api.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/pod", account)).status == 201
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "pod", "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": rules}
    binding = {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": namespace}, "subjects": [subject]}
    bound = {**binding, "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": namespace}}
    paths = [f"/apis/{group}/v1/{plural}/{namespace}" for plural in ("clusterroles", "clusterrolebindings")]
    for path, body in zip(paths, (role, bound), strict=True):
        assert (await api.apply(path, body)).status == 201
    token, _ = await bound_token(api, namespace)
    async with asyncio.timeout(20):
        while await status_of(api, token) != 200:
            await asyncio.sleep(0.05)
    yield namespace
    for path in paths:
        await api.delete(path)


async def status_of(api: Api, token: str) -> int:
    """What the server answers to somebody with this token."""
    async with api.session.get(f"{api.server}/api/v1/namespaces/default", headers={"Authorization": f"Bearer {token}"}) as got:
        return got.status


async def test_a_token_that_ends_while_we_run_is_replaced_by_the_one_in_the_file(cluster: Server, api: Api, reader: str, tmp_path: Path):
    first, secret = await bound_token(api, reader)
    second, _ = await bound_token(api, reader)
    path = folder(tmp_path / "account", cluster.authority.read_text(), first)
    pod = in_pod(path, cluster.url)
    assert await pod.read(SPACE) is not None
    (path / "token").write_text(second)
    await api.delete(secret)
    async with asyncio.timeout(40):
        while await status_of(api, first) != 401:  # the server remembers a good token for ten seconds
            assert await pod.read(SPACE) is not None
            await asyncio.sleep(0.2)
    found = await asyncio.gather(*(pod.read(SPACE) for _ in range(20)))
    assert all(found)
    assert pod._transport._door is not None
    assert pod._transport._door.identity.authorization == f"Bearer {second}"
    await pod.close()


async def test_a_renewed_certificate_of_the_server_is_taken_as_it_comes(cluster: Server, api: Api, reader: str, tmp_path: Path):
    token, _ = await bound_token(api, reader)
    pod = in_pod(folder(tmp_path / "account", cluster.authority.read_text(), token), cluster.url)
    assert await pod.read(SPACE) is not None
    address = ("127.0.0.1", cluster.ports["apiserver"])
    before = await asyncio.to_thread(ssl.get_server_certificate, address)
    issue(cluster.state / "pki", "server", "/CN=127.0.0.1", f"{NAMES}\nextendedKeyUsage=serverAuth\n")
    async with asyncio.timeout(90):
        while await asyncio.to_thread(ssl.get_server_certificate, address) == before:
            assert await pod.read(SPACE) is not None
            await asyncio.sleep(0.2)
    await pod.close()
    another = in_pod(tmp_path / "account", cluster.url)
    assert await another.read(SPACE) is not None
    await another.close()


class Front:
    """A server that answers 404 to everything, by a certificate that can be replaced."""

    def __init__(self, pki: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._pki = pki
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def show(self, authority: str) -> None:
        """Starts anew with a certificate of this authority, where it was."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        await self.stop()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._pki / authority / "server.crt", self._pki / authority / "server.key")
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context, reuse_address=True).start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": 404, "reason": "NotFound"}, status=404)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    for name in ("old", "new"):
        (tmp_path / "pki" / name).mkdir(parents=True)
        issue_all(tmp_path / "pki" / name)
    front = Front(tmp_path / "pki")
    await front.show("old")
    yield front
    await front.stop()


async def test_certificates_of_a_new_authority_are_trusted_once_the_file_has_them(front: Front, tmp_path: Path):
    old, new = ((tmp_path / "pki" / name / "ca.crt").read_text() for name in ("old", "new"))
    path = folder(tmp_path / "account", old, "t")
    pod = in_pod(path, front.url)
    assert await pod.read(SPACE) is None
    await front.show("new")
    with pytest.raises(Unreachable, match="cannot be trusted"):
        await pod.read(SPACE)
    (path / "ca.crt").write_text(new)
    assert await asyncio.gather(*(pod.read(SPACE) for _ in range(10))) == [None] * 10
    await front.show("old")
    (path / "ca.crt").write_text(new + old)
    assert await pod.read(SPACE) is None
    await pod.close()
