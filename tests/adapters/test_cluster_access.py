"""Finding a cluster: kubeconfig as kubectl reads it, and a sentence for each way in which there is none."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from reconciler.adapters.cluster import Pace, access, connect, credentials
from reconciler.adapters.cluster.credentials import Basic, Certificate, Exec, Identity, Library, NoToken, Token, TokenFile, identify
from reconciler.model.manifests import ObjectId
from reconciler.ports import Unreachable
from tests.engines.certificates import issue_all, new_key, openssl

ANY = ObjectId("", "ConfigMap", "somewhere", "something")
HASTY = Pace(patience=0.3, first=0.01, longest=0.02, connect=2, answer=2)
API = "client.authentication.k8s.io/v1"
PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"


def config(
    path: Path, *contexts: str, current: str | None = None, user: Any = None, server: str = "https://a.test:6443/", **more: Any
) -> str:
    """A kubeconfig in which each context has a cluster and a user of its name; its path."""
    document = {
        "clusters": [{"name": name, "cluster": {"server": server, **more}} for name in contexts],
        "users": [{"name": name, "user": {"token": path.name} if user is None else user} for name in contexts],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
        **({"current-context": current} if current else {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


def test_kubeconfig_of_the_environment_comes_before_the_home(tmp_path: Path):
    config(tmp_path / ".kube" / "config", "home", current="home")
    other = config(tmp_path / "other", "other", current="other")
    assert access({"HOME": str(tmp_path)}).place == "kubernetes, context home"
    assert access({"HOME": str(tmp_path), "KUBECONFIG": other}).place == "kubernetes, context other"
    assert access({"HOME": str(tmp_path), "KUBECONFIG": "~/other"}).place == "kubernetes, context other"
    assert access({"HOME": str(tmp_path), "KUBECONFIG": other}, "~/.kube/config").place == "kubernetes, context home"


def test_first_of_several_files_wins(tmp_path: Path):
    first = config(tmp_path / "first", "a", "b", current="b")
    second = config(tmp_path / "second", "b", "c", current="c")
    environ = {"KUBECONFIG": f"{tmp_path}/absent:{first}:{second}"}
    assert access(environ).place == "kubernetes, context b"
    assert access(environ).tokens == Token("first")
    assert access(environ, context="c").tokens == Token("second")


def test_context_may_be_named(tmp_path: Path):
    path = config(tmp_path / "config", "a", "b", current="a")
    assert access({}, path, "b").place == "kubernetes, context b"


def test_server_loses_its_last_slash(tmp_path: Path):
    assert access({}, config(tmp_path / "config", "a", current="a")).server == "https://a.test:6443"


@pytest.mark.parametrize(
    ("user", "tokens"),
    [
        ({}, NoToken()),
        ({"token": "t"}, Token("t")),
        ({"username": "u", "password": "p"}, Basic("u", "p")),
        ({"auth-provider": {"name": "oidc"}}, None),
    ],
)
def test_user_says_where_tokens_come_from(tmp_path: Path, user: Any, tokens: Any):
    found = access({}, config(tmp_path / "config", "a", current="a", user=user)).tokens
    assert found == tokens if tokens else isinstance(found, Library)


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path):
    folder = tmp_path / "deep"
    user = {"tokenFile": "token", "client-certificate": "user.crt", "client-key": "user.key"}
    path = config(folder / "config", "a", current="a", user=user, **{"certificate-authority": "ca.crt"})
    for name, text in (("user.crt", PEM), ("user.key", KEY), ("ca.crt", PEM)):
        (folder / name).write_text(text)
    found = access({}, path)
    assert found.tokens == TokenFile(folder / "token")
    assert found.certificate == Certificate(PEM, KEY)
    assert found.authority == PEM


def test_data_in_the_kubeconfig_comes_before_files(tmp_path: Path):
    user = {"client-certificate-data": base64.b64encode(PEM.encode()).decode(), "client-key-data": base64.b64encode(KEY.encode()).decode()}
    path = config(tmp_path / "config", "a", current="a", user={**user, "client-certificate": "absent", "client-key": "absent"})
    assert access({}, path).certificate == Certificate(PEM, KEY)


def test_impersonation_and_proxy_are_taken(tmp_path: Path):
    path = config(tmp_path / "config", "a", current="a", user={"as": "tenant", "as-groups": ["x", "y"]}, **{"proxy-url": "http://p:1"})
    found = access({}, path)
    assert found.headers == (("Impersonate-User", "tenant"), ("Impersonate-Group", "x"), ("Impersonate-Group", "y"))
    assert found.proxy == "http://p:1"


def test_secrets_are_in_no_representation(tmp_path: Path):
    for user in ({"token": "hush"}, {"username": "u", "password": "hush"}, {"exec": {"apiVersion": API, "command": "x", "args": ["hush"]}}):
        found = access({"SECRET": "hush"}, config(tmp_path / "config", "a", current="a", user=user))
        assert "hush" not in repr(found) + repr(found.tokens)
    assert "hush" not in repr(Certificate("hush", "hush")) + repr(Identity("hush"))


def broken_kubeconfigs(folder: Path) -> dict[str, tuple[dict[str, str], str | None, str | None, str]]:
    """Environment, kubeconfig, context and what is told."""
    (folder / "tab").write_text("a:\n\t- b")
    (folder / "list").write_text("[]")
    (folder / "lost").write_text(json.dumps({"contexts": [{"name": "a", "context": {"cluster": "b"}}], "current-context": "a"}))
    good = config(folder / "good", "a", current="a")
    bare = config(folder / "bare", "a")
    half = config(folder / "half", "a", current="a", user={"client-certificate-data": base64.b64encode(PEM.encode()).decode()})
    garbled = config(folder / "garbled", "a", current="a", **{"certificate-authority-data": "!"})
    absent = config(folder / "absent", "a", current="a", **{"certificate-authority": "nowhere.crt"})
    return {
        "none": ({"HOME": str(folder / "nobody")}, None, None, "there is no kubeconfig (looked for"),
        "none of the environment": ({"KUBECONFIG": f"{folder}/x:{folder}/y"}, None, None, f"looked for {folder}/x, {folder}/y"),
        "none where it should be": ({}, f"{folder}/x", None, f"there is no kubeconfig at {folder}/x"),
        "no YAML": ({}, f"{folder}/tab", None, "cannot be read"),
        "no mapping": ({}, f"{folder}/list", None, "is not a mapping"),
        "no context": ({}, bare, None, "has no current context"),
        "unknown context": ({}, good, "staging", "has no context 'staging'"),
        "context without cluster": ({}, f"{folder}/lost", None, "names the cluster 'b', which has no server"),
        "certificate without key": ({}, half, None, "client certificate without its key"),
        "garbled authority": ({}, garbled, None, "certificate-authority cannot be read"),
        "absent authority": ({}, absent, None, "certificate-authority cannot be read: No such file"),
    }


@pytest.mark.parametrize("case", [
    "none", "none of the environment", "none where it should be", "no YAML", "no mapping", "no context", "unknown context",
    "context without cluster", "certificate without key", "garbled authority", "absent authority",
])  # fmt: skip
def test_broken_kubeconfig_is_told(tmp_path: Path, case: str):
    environ, kubeconfig, context, told = broken_kubeconfigs(tmp_path)[case]
    with pytest.raises(Unreachable) as caught:
        access(environ, kubeconfig, context)
    assert told in str(caught.value)
    assert caught.value.fix


async def told(path: str) -> Unreachable:
    """What a read of this cluster says."""
    cluster = connect({"PATH": "/usr/bin:/bin"}, path, pace=HASTY)
    try:
        with pytest.raises(Unreachable) as caught:
            await cluster.read(ANY)
    finally:
        await cluster.close()
    assert caught.value.fix
    return caught.value


async def test_server_that_is_not_running_is_told(tmp_path: Path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{held.getsockname()[1]}"
        fault = await told(config(tmp_path / "config", "a", current="a", server=server))
    assert str(fault) == f"{server} cannot be reached: Connection refused"
    assert not fault.ambiguous


async def test_name_that_nobody_knows_is_told(tmp_path: Path):
    fault = await told(config(tmp_path / "config", "a", current="a", server="https://nowhere.invalid"))
    assert str(fault) == "the name of https://nowhere.invalid cannot be resolved"


async def test_address_that_is_none_is_told(tmp_path: Path):
    assert "is not the address of a server" in str(await told(config(tmp_path / "config", "a", current="a", server="somewhere")))


async def test_proxy_that_is_not_running_is_told(tmp_path: Path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{held.getsockname()[1]}"
        fault = await told(config(tmp_path / "config", "a", current="a", **{"proxy-url": proxy}))
    assert "proxy" in str(fault)


async def test_port_that_speaks_something_else_is_told(tmp_path: Path):
    async def chat(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(chat, "127.0.0.1", 0)
    async with server:
        url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        plain = await told(config(tmp_path / "plain", "a", current="a", server=f"http://{url}"))
        tls = await told(config(tmp_path / "tls", "a", current="a", server=f"https://{url}"))
    assert "does not answer as a Kubernetes API server" in str(plain)
    assert "does not speak TLS as it should" in str(tls)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities and what they sign: `own` for the server, `other` for nobody."""
    folder = tmp_path_factory.mktemp("pki")
    for name in ("own", "other"):
        (folder / name).mkdir()
        issue_all(folder / name)
    return folder


@pytest.fixture
async def tls_server(pki: Path) -> AsyncIterator[str]:
    """A server with a certificate of the `own` authority, that knows whoever has a client certificate of it as `admin`."""

    async def handle(request: web.Request) -> web.Response:
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        code = 404 if peer else 401
        return web.json_response({"kind": "Status", "code": code, "message": "no", "reason": "x"}, status=code)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "own" / "ca.crt"))
    context.load_cert_chain(pki / "own" / "server.crt", pki / "own" / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def admin(pki: Path) -> dict[str, str]:
    """The user with a client certificate."""
    return {"client-certificate": str(pki / "own" / "admin.crt"), "client-key": str(pki / "own" / "admin.key")}


async def test_client_certificate_is_shown(tls_server: str, pki: Path, tmp_path: Path):
    authority = {"certificate-authority": str(pki / "own" / "ca.crt")}
    path = config(tmp_path / "config", "a", current="a", user=admin(pki), server=tls_server, **authority)
    cluster = connect({}, path, pace=HASTY)
    assert await cluster.read(ANY) is None
    await cluster.close()
    refused = await told(config(tmp_path / "nobody", "a", current="a", user={}, server=tls_server, **authority))
    assert "does not accept the credentials of kubernetes, context a" in str(refused)


async def test_server_of_another_authority_is_not_trusted(tls_server: str, pki: Path, tmp_path: Path):
    for more in ({"certificate-authority": str(pki / "other" / "ca.crt")}, {}):
        fault = await told(config(tmp_path / "config", "a", current="a", user=admin(pki), server=tls_server, **more))
        assert f"the certificate of {tls_server} cannot be trusted" in str(fault)


async def test_server_may_be_trusted_blindly_or_by_another_name(tls_server: str, pki: Path, tmp_path: Path):
    authority = {"certificate-authority": str(pki / "own" / "ca.crt")}
    for more in ({"insecure-skip-tls-verify": True}, {**authority, "tls-server-name": "localhost"}):
        cluster = connect({}, config(tmp_path / "config", "a", current="a", user=admin(pki), server=tls_server, **more), pace=HASTY)
        assert await cluster.read(ANY) is None
        await cluster.close()
    wrong = config(tmp_path / "wrong", "a", current="a", user=admin(pki), server=tls_server, **authority, **{"tls-server-name": "x.test"})
    assert "cannot be trusted" in str(await told(wrong))


async def test_key_of_another_certificate_is_told(tls_server: str, pki: Path, tmp_path: Path):
    user = {**admin(pki), "client-key": str(pki / "other" / "admin.key")}
    fault = await told(config(tmp_path / "config", "a", current="a", user=user, server=tls_server))
    assert "do not match their key" in str(fault)


@pytest.fixture
def expired(tmp_path: Path) -> tuple[dict[str, str], str]:
    """A user whose client certificate ended yesterday, and that day."""
    new_key(tmp_path, "old")
    openssl(tmp_path, "req", "-new", "-key", "old.key", "-subj", "/O=a much longer organisation/CN=old", "-out", "old.csr")
    openssl(tmp_path, "x509", "-req", "-in", "old.csr", "-signkey", "old.key", "-days", "-1", "-out", "old.crt")
    show = ["openssl", "x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in", str(tmp_path / "old.crt")]
    day = subprocess.run(show, check=True, capture_output=True, text=True).stdout.split("=")[1][:10]
    return {"client-certificate": str(tmp_path / "old.crt"), "client-key": str(tmp_path / "old.key")}, day


async def test_expired_client_certificate_is_told_with_its_date(pki: Path, tmp_path: Path, expired: tuple[dict[str, str], str]):
    user, day = expired

    async def handle(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki / "own" / "server.crt", pki / "own" / "server.key")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server = f"https://127.0.0.1:{runner.addresses[0][1]}"
    path = config(tmp_path / "config", "a", current="a", user=user, server=server, **{"certificate-authority": str(pki / "own" / "ca.crt")})
    fault = await told(path)
    await runner.cleanup()
    assert f"the client certificate ended on {day}" in str(fault)


def plugin(folder: Path, script: str, **more: Any) -> Exec:
    """A credential plug-in that is this shell script."""
    path = folder / "login"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o700)
    return Exec(str(path), {"apiVersion": API, "command": str(path), **more}, None, {"PATH": "/usr/bin:/bin"})


async def test_plug_in_gives_token_certificate_and_how_long_they_are_good(tmp_path: Path):
    status = {"token": "t", "clientCertificateData": PEM, "clientKeyData": KEY, "expirationTimestamp": "2030-01-01T00:00:10Z"}
    (tmp_path / "out").write_text(json.dumps({"apiVersion": API, "kind": "ExecCredential", "status": status}))
    assert await identify(plugin(tmp_path, f"cat {tmp_path}/out")) == Identity("Bearer t", Certificate(PEM, KEY), 1893456000.0)


async def test_plug_in_is_told_what_it_is_for(tmp_path: Path):
    script = f"""printf '%s' "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; printf '%s' "$1$EXTRA" > {tmp_path}/given; exit 1"""
    source = plugin(tmp_path, script, args=["one"], env=[{"name": "EXTRA", "value": "two"}])
    with pytest.raises(Unreachable):
        await identify(source)
    info = json.loads((tmp_path / "info").read_text())
    assert (info["apiVersion"], info["kind"]) == (API, "ExecCredential")
    assert (tmp_path / "given").read_text() == "onetwo"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo please log in >&2; exit 3", "failed: please log in"),
        ("exit 3", "failed: exit 3"),
        ("echo hello", "printed something that is no ExecCredential"),
        ("""echo '{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}'""", "gave neither a token nor a certificate"),
        ("""echo '{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {"token": "t"}}'""", "speaks client.authentication.k8s.io/v1beta1"),
    ],
)  # fmt: skip
async def test_plug_in_that_fails_is_told_with_its_hint(tmp_path: Path, script: str, told: str):
    with pytest.raises(Unreachable, match="plug-in login") as caught:
        await identify(plugin(tmp_path, script, installHint="get it from example.test"))
    assert told in str(caught.value)
    assert caught.value.fix == "get it from example.test"


@pytest.mark.parametrize("script", ["sleep 1000 & wait", "yes | head -c 300000; sleep 1000"])
async def test_plug_in_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str):
    monkeypatch.setattr(credentials, "_EXEC_TIMEOUT", 0.3)
    with pytest.raises(Unreachable, match=r"plug-in login did not end within 0\.3 s"):
        await identify(plugin(tmp_path, script))


async def test_plug_in_that_is_not_there_is_told():
    with pytest.raises(Unreachable, match="plug-in aws-nowhere cannot be started: No such file"):
        await identify(Exec("aws-nowhere", {"apiVersion": API}, None, {"PATH": "/bin"}))


async def test_token_file_that_is_gone_is_told(tmp_path: Path):
    with pytest.raises(Unreachable, match=r"token file .* cannot be read: No such file"):
        await identify(TokenFile(tmp_path / "absent"))


async def test_rare_auth_providers_are_left_to_the_library(tmp_path: Path):
    payload = base64.urlsafe_b64encode(json.dumps({"exp": 4102444800}).encode()).decode().rstrip("=")
    token = f"e30.{payload}.c2ln"
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token, "idp-issuer-url": "https://idp.test"}}}
    found = access({}, config(tmp_path / "config", "a", current="a", user=user))
    assert (await identify(found.tokens)).authorization == f"Bearer {token}"


def test_importing_the_adapter_does_not_import_the_python_client():
    code = "import sys, reconciler.adapters.cluster; sys.exit('kubernetes' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
