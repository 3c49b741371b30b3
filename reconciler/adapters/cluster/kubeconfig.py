"""Kubeconfig: which server, which user, by the rules of kubectl.

Own reading, because importing the Python client for it costs 0.4 s and because that client takes the last `current-context` of several
files where kubectl takes the first, and goes on without credentials when an exec plug-in fails.
Rules: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.adapters.cluster.credentials import Basic, Certificate, Exec, Library, NoToken, Token, TokenFile, TokenSource
from reconciler.ports import Unreachable

_CONTEXTS = "see `kubectl config get-contexts`, and name one with `context` in fleet.yaml or with `kubectl config use-context`"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its account."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server, and as whom."""

    place: str
    server: str
    tokens: TokenSource = field(default=NoToken(), repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    authority: str | None = None
    """Certificates (PEM) that sign the server's; None means those of the system."""
    authority_file: Path | None = None
    """Where they stand, and may change."""
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Impersonation."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A named part of a kubeconfig and the folder that its relative paths start from."""

    value: Mapping[str, Any]
    folder: Path


@dataclass(slots=True)
class _Merged:
    """Several files as one: what comes first wins."""

    current: str = ""
    contexts: dict[str, _Entry] = field(default_factory=dict)
    clusters: dict[str, _Entry] = field(default_factory=dict)
    users: dict[str, _Entry] = field(default_factory=dict)


def access(environ: Mapping[str, str], kubeconfig: str | None = None, context: str | None = None) -> Access:
    """How to reach the cluster of this kubeconfig file (else `$KUBECONFIG`, else `~/.kube/config`, else from inside a pod) and context.

    Raises Unreachable with what to do.
    """
    paths = _paths(environ, kubeconfig)
    files = [path for path in paths if path.is_file()]
    if not files and kubeconfig is not None:
        raise Unreachable(f"there is no kubeconfig at {kubeconfig}", "correct `kubeconfig` in fleet.yaml, or take it out")
    if not files and (found := inside(environ)):
        return found
    if not files:
        told = ", ".join(str(path) for path in paths)
        raise Unreachable(f"there is no kubeconfig (looked for {told})", "set KUBECONFIG, or start a trial cluster with `./dev up`")
    merged = _Merged()
    for path in files:
        _merge(merged, path)
    return _chosen(merged, context, environ, _joined(files))


def _joined(files: list[Path]) -> str:
    """Files as `$KUBECONFIG` lists them."""
    return ":".join(str(path) for path in files)


def _paths(environ: Mapping[str, str], kubeconfig: str | None) -> list[Path]:
    home = Path(environ.get("HOME") or "/")  # containers run as users that no file of users knows
    if kubeconfig is not None:
        return [_under(home, kubeconfig)]
    listed = [_under(home, part) for part in environ.get("KUBECONFIG", "").split(":") if part]
    return listed or [home / ".kube" / "config"]


def _under(home: Path, path: str) -> Path:
    return home / path[2:] if path.startswith("~/") else Path(path)


def _merge(merged: _Merged, path: Path) -> None:
    try:
        value = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    except (OSError, yaml.YAMLError, ValueError) as fault:
        raise Unreachable(f"the kubeconfig {path} cannot be read: {_why(fault)}", "`kubectl config view` says more") from None
    if value is None:
        return
    if not isinstance(value, dict):
        raise Unreachable(f"the kubeconfig {path} is not a mapping", "`kubectl config view` says more")
    merged.current = merged.current or value.get("current-context") or ""
    folder = path.resolve().parent
    for single, entries in (("context", merged.contexts), ("cluster", merged.clusters), ("user", merged.users)):
        listed = value.get(single + "s") or ()
        for item in listed if isinstance(listed, list) else ():
            match item:
                case {"name": str(name)}:
                    held = item.get(single) or {}
                    entries.setdefault(name, _Entry(held if isinstance(held, dict) else {}, folder))


def _why(fault: Exception) -> str:
    """What is wrong with a file, without anything that stands in it: it holds credentials."""
    match fault:
        case yaml.MarkedYAMLError(problem_mark=mark) if mark is not None:
            return f"it is not YAML from line {mark.line + 1}, column {mark.column + 1} on"
        case OSError():
            return fault.strerror or type(fault).__name__
        case _:
            return "it is not YAML"


def _chosen(merged: _Merged, context: str | None, environ: Mapping[str, str], files: str) -> Access:
    name = context or merged.current
    if not name:
        raise Unreachable(f"the kubeconfig {files} has no current context", _CONTEXTS)
    if name not in merged.contexts:
        raise Unreachable(f"the kubeconfig {files} has no context {name!r}", _CONTEXTS)
    chosen = merged.contexts[name].value
    cluster, user = merged.clusters.get(chosen.get("cluster", "")), merged.users.get(chosen.get("user", ""))
    if cluster is None or not isinstance(cluster.value.get("server"), str) or not cluster.value["server"]:
        raise Unreachable(f"the context {name!r} names the cluster {chosen.get('cluster')!r}, which has no server in {files}", _CONTEXTS)
    if user is None and chosen.get("user"):
        raise Unreachable(f"the context {name!r} names the user {chosen['user']!r}, who is not in {files}", _CONTEXTS)
    user = user or _Entry({}, cluster.folder)
    return Access(
        place=f"kubernetes, context {name}",
        server=cluster.value["server"].rstrip("/"),
        tokens=_tokens(user, cluster, environ, files, name),
        certificate=_certificate(user),
        authority=_pem(cluster, "certificate-authority"),
        authority_file=_file(cluster, "certificate-authority"),
        insecure=cluster.value.get("insecure-skip-tls-verify") is True,
        server_name=cluster.value.get("tls-server-name"),
        proxy=cluster.value.get("proxy-url"),
        headers=_impersonation(user.value),
    )


def _tokens(user: _Entry, cluster: _Entry, environ: Mapping[str, str], files: str, context: str) -> TokenSource:
    match user.value:
        case {"tokenFile": str(path)}:
            return TokenFile(user.folder / path)
        case {"token": str(token)}:
            return Token(token)
        case {"username": str(name), "password": str(password)}:
            return Basic(name, password)
        case {"exec": {"command": str(command)} as plugin}:
            found = str(user.folder / command) if "/" in command and not command.startswith("/") else command
            return Exec(found, plugin, _cluster_info(cluster) if plugin.get("provideClusterInfo") else None, environ)
        case {"auth-provider": dict()}:
            return Library(files, context)
        case _:
            return NoToken()


def _cluster_info(cluster: _Entry) -> Mapping[str, Any]:
    """The part of a cluster that an exec plug-in may see (client.authentication.k8s.io/v1 `Cluster`)."""
    authority = _pem(cluster, "certificate-authority")
    shown = {
        name: cluster.value[name]
        for name in ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
        if name in cluster.value
    }
    extension = next(
        (e["extension"] for e in cluster.value.get("extensions") or () if e.get("name") == "client.authentication.k8s.io/exec"), None
    )
    data = {"certificate-authority-data": base64.b64encode(authority.encode()).decode()} if authority else {}
    return {**shown, **data, **({"config": extension} if extension is not None else {})}


def _certificate(user: _Entry) -> Certificate | None:
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    if certificate is None:
        return None
    if key is None:
        raise Unreachable("the kubeconfig has a client certificate without its key", "`kubectl config view` says more")
    return Certificate(certificate, key)


def _pem(entry: _Entry, name: str) -> str | None:
    """PEM given in the file (base64) or by path; the first wins (client-go `overrides`)."""
    try:
        if data := entry.value.get(name + "-data"):
            return base64.b64decode("".join(data.split()), validate=True).decode()
        if path := _file(entry, name):
            return path.read_text()
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not base64 of PEM"
        raise Unreachable(f"the kubeconfig's {name} cannot be read: {why}", "`kubectl config view` says more") from None
    return None


def _file(entry: _Entry, name: str) -> Path | None:
    """The file of PEM given by path, where there is no PEM in the kubeconfig itself."""
    path = entry.value.get(name)
    return Path(entry.folder, path) if path and not entry.value.get(name + "-data") else None


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    single = [(header, user[name]) for header, name in (("Impersonate-User", "as"), ("Impersonate-Uid", "as-uid")) if user.get(name)]
    return (*single, *(("Impersonate-Group", group) for group in user.get("as-groups") or ()))


def inside(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access | None:
    """Access from inside a pod, as its service account (Kubernetes: Accessing the API from a Pod); None elsewhere.

    The token in the folder is renewed before it ends, and so are the certificates: both are read again when they are refused.
    Raises Unreachable where the folder is not whole.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host or not (folder / "token").is_file():
        return None
    file = folder / "ca.crt"
    try:
        authority = file.read_text()
    except OSError as fault:
        raise Unreachable(f"the pod's {file} cannot be read: {fault.strerror}", "mount the whole token of the service account") from None
    address = f"[{host}]" if ":" in host else host
    return Access("kubernetes, this pod's cluster", f"https://{address}:{port}", TokenFile(folder / "token"), None, authority, file)
