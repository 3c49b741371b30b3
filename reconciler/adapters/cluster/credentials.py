"""Credentials: where the Authorization header and the client certificate come from, and how they are renewed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from reconciler.model.value import dataclass
from reconciler.ports import Unreachable

_EXEC_TIMEOUT = 60
_LIFETIME = 60.0
"""Seconds after which a token file is read again: projected tokens rotate (client-go `cachingTokenSource` does the same)."""
_SKEW = 10.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate and its key, both PEM."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are for the next request. `expires`: seconds of the epoch."""

    authorization: str | None = field(default=None, repr=False)
    certificate: Certificate | None = None
    expires: float = float("inf")


@dataclass(frozen=True, slots=True)
class NoToken:
    """No token: a client certificate, or nobody."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that stands in the kubeconfig."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A token in a file that something renews."""

    path: Path


@dataclass(frozen=True, slots=True)
class Basic:
    """User name and password."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exec:
    """A plug-in that prints credentials (client.authentication.k8s.io). `cluster` is what it may know of the cluster."""

    command: str
    config: Mapping[str, Any] = field(repr=False)
    cluster: Mapping[str, Any] | None
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Library:
    """What is rare enough to leave to the Python client and its import time: `auth-provider`."""

    files: str
    context: str


TokenSource = NoToken | Token | TokenFile | Basic | Exec | Library


async def identify(source: TokenSource) -> Identity:
    """Credentials as they are now. Raises Unreachable with what to do; no message has a token in it."""
    match source:
        case NoToken():
            return Identity()
        case Token(value):
            return Identity(f"Bearer {value.strip()}")
        case Basic(name, password):
            return Identity("Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())
        case TokenFile(path):
            return Identity(f"Bearer {await asyncio.to_thread(_read, path)}", expires=time.time() + _LIFETIME)
        case Exec():
            return await _run(source)
        case Library(files, context):
            return await asyncio.to_thread(_by_library, files, context)


def renewable(source: TokenSource) -> bool:
    """Whether asking again may give other credentials."""
    return isinstance(source, TokenFile | Exec | Library)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as fault:
        raise Unreachable(f"the token file {path} cannot be read: {fault.strerror}", "log in again, or correct the kubeconfig") from None


async def _run(plugin: Exec) -> Identity:
    name = Path(plugin.command).name
    hint = str(plugin.config.get("installHint") or f"run `{name}` by hand, or log in again").strip()
    version = str(plugin.config.get("apiVersion", ""))
    spec = {"interactive": False} | ({"cluster": plugin.cluster} if plugin.cluster is not None else {})
    info = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})
    given = {item["name"]: item["value"] for item in plugin.config.get("env") or ()}
    arguments = [str(argument) for argument in plugin.config.get("args") or ()]
    env = {**plugin.environ, **given, "KUBERNETES_EXEC_INFO": info}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *arguments,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
        )
    except OSError as fault:
        raise Unreachable(f"the kubeconfig's credential plug-in {name} cannot be started: {fault.strerror}", hint) from None
    try:
        async with asyncio.timeout(_EXEC_TIMEOUT):
            out, err = await process.communicate()
    except (TimeoutError, asyncio.CancelledError) as why:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started holds its pipes, too
        await process.communicate()  # asyncio does not tell of its end while something is left in them
        if isinstance(why, TimeoutError):
            raise Unreachable(f"the kubeconfig's credential plug-in {name} did not end within {_EXEC_TIMEOUT} s", hint) from None
        raise
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        raise Unreachable(f"the kubeconfig's credential plug-in {name} failed: {said[-1] if said else f'exit {process.returncode}'}", hint)
    return _printed(out, name, version, hint)


def _printed(out: bytes, name: str, version: str, hint: str) -> Identity:
    try:
        document = orjson.loads(out)
        status = document["status"]
        if document["apiVersion"] != version:
            raise Unreachable(f"the credential plug-in {name} speaks {document['apiVersion']}, the kubeconfig wants {version}", hint)
        certificate = Certificate(status["clientCertificateData"], status["clientKeyData"]) if "clientCertificateData" in status else None
        token = status.get("token")
        until = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(until).timestamp() - _SKEW if until else float("inf")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreachable(f"the credential plug-in {name} printed something that is no ExecCredential", hint) from None
    if token is None and certificate is None:
        raise Unreachable(f"the credential plug-in {name} gave neither a token nor a certificate", hint)
    return Identity(f"Bearer {token}" if token else None, certificate, expires)


def _by_library(files: str, context: str) -> Identity:
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config
    from kubernetes.config.config_exception import ConfigException

    configuration = Configuration()
    try:
        load_kube_config(files, context, configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, KeyError) as fault:
        raise Unreachable(
            f"the kubeconfig's auth-provider failed: {type(fault).__name__}", "log in again, or use an exec plug-in"
        ) from None
    return Identity(configuration.api_key.get("BearerToken"), expires=time.time() + _LIFETIME)
