"""A cluster without machines: etcd, an API server, where needed the proxy of shadow kinds, and the player of stages."""

import json
import secrets
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.engines import certificates
from tests.engines.binaries import Engines, Tier, engines, version_of
from tests.engines.cache import EngineMissing, locked
from tests.engines.daemons import Daemon

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
ORDER = ("etcd", "apiserver", "shadow", "stages", "operator")
# Admission plug-ins that look at kinds that the custom resource server does not have; the proxy does NamespaceLifecycle's part.
ABSENT = "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,MutatingAdmissionPolicy,ValidatingAdmissionPolicy"

Say = Callable[[str], None]


def quiet(_: str) -> None:
    """Says nothing."""


class Cluster(NamedTuple):
    """A cluster by its state folder: what is needed to talk to it, and which tier it is."""

    state: Path
    tier: Tier
    version: str
    ports: Mapping[str, int]

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports['shadow' if self.tier is Tier.SHADOW else 'apiserver']}"

    @property
    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    @property
    def authority(self) -> Path:
        return self.state / "pki" / "ca.crt"

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['etcd']}"

    def revision(self) -> int:
        """etcd's revision: it moves with every write, and with nothing else. (A real server renews a lease of its own every 10 s.)"""
        request = urllib.request.Request(f"{self.etcd_url}/v3/kv/range", data=b'{"key": "AA==", "limit": 1}', method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(json.loads(answer.read())["header"]["revision"])

    def daemon(self, name: str) -> Daemon:
        return Daemon(self.state, name)

    def save(self) -> None:
        facts = {"tier": self.tier.value, "version": self.version, "ports": dict(self.ports)}
        (self.state / "cluster.json").write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, state: Path) -> "Cluster | None":
        """The cluster whose state the folder holds, running or not."""
        try:
            facts: dict[str, Any] = json.loads((state / "cluster.json").read_text())
            return cls(state, Tier(facts["tier"]), facts["version"], facts["ports"])
        except (OSError, ValueError, KeyError):
            return None


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free loopback port for each name; all are held until the last is known, so that none comes twice."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports


def answers(url: str, authority: Path, token: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    context = ssl.create_default_context(cafile=str(authority))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def await_ready(daemon: Daemon, ready: Callable[[], bool]) -> None:
    """Waits until the daemon is ready; raises EngineMissing with its last words when it ends before, or after a minute."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if daemon.pid() is None:
            raise EngineMissing(f"{daemon.name} ended at its start; the end of {daemon.log}:\n{daemon.last_words()}")
        if time.monotonic() > deadline:
            raise EngineMissing(f"{daemon.name} was not ready after {START_SECONDS:.0f} s; the end of {daemon.log}:\n{daemon.last_words()}")
        time.sleep(0.05)


def kubeconfig(server: str, authority: Path | None, token: str | None) -> str:
    """A kubeconfig (JSON is YAML) with one context, `trial`."""
    cluster = {"server": server, **({"certificate-authority": str(authority)} if authority else {})}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "trial",
        "clusters": [{"name": "trial", "cluster": cluster}],
        "contexts": [{"name": "trial", "context": {"cluster": "trial", "user": "admin"}}],
        "users": [{"name": "admin", "user": {"token": token} if token else {}}],
    }
    return json.dumps(document, indent=1) + "\n"


def etcd_command(cluster: Cluster, found: Engines) -> list[str | Path]:
    peer = f"http://127.0.0.1:{cluster.ports['peer']}"
    return [
        found.etcd, "--data-dir", cluster.state / "etcd", "--unsafe-no-fsync", "--log-level", "warn",
        "--listen-client-urls", cluster.etcd_url, "--advertise-client-urls", cluster.etcd_url,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
    ]  # fmt: skip


def apiserver_command(cluster: Cluster, found: Engines) -> list[str | Path]:
    pki = cluster.state / "pki"
    common: list[str | Path] = [
        found.server, "--etcd-servers", cluster.etcd_url, "--bind-address", "127.0.0.1",
        "--secure-port", str(cluster.ports["apiserver"]), "--client-ca-file", pki / "ca.crt",
        "--tls-cert-file", pki / "server.crt", "--tls-private-key-file", pki / "server.key",
    ]  # fmt: skip
    match cluster.tier:
        case Tier.REAL:
            return [
                *common, "--authorization-mode", "Node,RBAC", "--token-auth-file", cluster.state / "tokens.csv", "--allow-privileged",
                "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", pki / "sa.key",
                "--service-account-signing-key-file", pki / "sa.key", "--service-cluster-ip-range", "10.96.0.0/16",
                "--endpoint-reconciler-type", "none",
            ]  # fmt: skip
        case Tier.SHADOW:
            nobody = cluster.state / "nobody.kubeconfig"
            nobody.write_text(kubeconfig("http://127.0.0.1:1", None, None))
            return [
                *common, "--authentication-skip-lookup", "--authentication-kubeconfig", nobody, "--authorization-kubeconfig", nobody,
                "--kubeconfig", nobody, "--disable-admission-plugins", ABSENT, "--enable-priority-and-fairness=false",
            ]  # fmt: skip


def upstream_ready(url: str, pki: Path) -> bool:
    """Whether the custom resource server inside takes requests; its /readyz waits for kinds that it will never have."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    try:
        with urllib.request.urlopen(
            f"{url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=1", timeout=2, context=context
        ) as got:
            return bool(got.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def prepare(state: Path, found: Engines) -> Cluster:
    """The state folder of a new cluster: keys, token, kubeconfig, ports."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificates.issue_all(state / "pki")
    token = secrets.token_hex(16)
    for name, text in (("token", token), ("tokens.csv", f'{token},admin,admin,"system:masters"\n')):
        (state / name).touch(mode=0o600)
        (state / name).write_text(text)
    cluster = Cluster(state, found.tier, version_of(found), free_ports(("etcd", "peer", "apiserver", "shadow")))
    cluster.kubeconfig.touch(mode=0o600)
    cluster.kubeconfig.write_text(kubeconfig(cluster.url, cluster.authority, token))
    cluster.save()
    return cluster


def up(state: Path, tier: Tier | None = None, *, stages: bool = True, tied: bool = False, say: Say = quiet, delay: float = 0.2) -> Cluster:
    """Starts what does not run yet of the cluster in `state`, and waits until it is ready. Raises EngineMissing.

    Tied, the processes die with this one; else they outlive it. `delay` is how many seconds the player takes to make things ready.
    """
    state = state.resolve()
    with locked(state.with_name(f".{state.name}.lock")):
        cluster = Cluster.load(state)
        if cluster and tier and cluster.tier is not tier:
            raise EngineMissing(f"the cluster in {state} is {cluster.tier}: take it down first to change its tier")
        found = engines(cluster.tier if cluster else tier, say)
        cluster = cluster or prepare(state, found)
        start(cluster, found, stages=stages, tied=tied, delay=delay)
        return cluster


def start(cluster: Cluster, found: Engines, *, stages: bool, tied: bool, delay: float) -> None:
    pki, inside = cluster.state / "pki", f"https://127.0.0.1:{cluster.ports['apiserver']}"
    here = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def ensure(name: str, command: list[str | Path], ready: Callable[[], bool]) -> None:
        daemon = cluster.daemon(name)
        if daemon.pid() is None:
            daemon.start(command, here, tied=tied)
        await_ready(daemon, ready)

    ensure("etcd", etcd_command(cluster, found), lambda: answers(f"{cluster.etcd_url}/health", cluster.authority, ""))
    if cluster.tier is Tier.SHADOW:
        assert found.types
        ensure("apiserver", apiserver_command(cluster, found), lambda: upstream_ready(inside, pki))
        module: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.engines.shadow",
            pki,
            inside,
            str(cluster.ports["shadow"]),
            cluster.state / "token",
            found.types,
        ]
        ensure("shadow", module, lambda: answers(f"{cluster.url}/readyz", cluster.authority, cluster.token))
    else:
        ensure("apiserver", apiserver_command(cluster, found), lambda: answers(f"{cluster.url}/readyz", cluster.authority, cluster.token))
    namespace = f"{cluster.url}/api/v1/namespaces/default"
    await_ready(cluster.daemon("apiserver"), lambda: answers(namespace, cluster.authority, cluster.token))
    if stages:
        daemon = cluster.daemon("stages")
        if daemon.pid() is None:
            (cluster.state / "stages.ready").unlink(missing_ok=True)
        player: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.engines.stages",
            cluster.kubeconfig,
            str(delay),
            cluster.state / "stages.ready",
        ]
        ensure("stages", player, (cluster.state / "stages.ready").exists)


def stop(state: Path) -> list[str]:
    """Ends the processes, last started first, and keeps the state; the names of those that ran."""
    return [name for name in reversed(ORDER) if Daemon(state, name).stop()]


def down(state: Path) -> list[str]:
    """Ends the processes and removes the state; the names of those that ran."""
    state = state.resolve()
    stopped = stop(state)
    if (state / "cluster.json").exists():
        shutil.rmtree(state)
    state.with_name(f".{state.name}.lock").unlink(missing_ok=True)
    return stopped


def running(state: Path) -> list[str]:
    """The names of the processes that run, in the order of their start."""
    return [name for name in ORDER if Daemon(state.resolve(), name).pid()]
