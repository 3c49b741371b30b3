"""Credentials where docker, podman and skopeo keep them: auth files and credential helpers (containers-auth.json(5))."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from pipelines.adapters.processes import ended, kill
from pipelines.adapters.registry.failures import printable
from pipelines.adapters.registry.settings import HUB, Login
from pipelines.ports import RegistryFault

PATIENCE = 10.0
"""Seconds for a credential helper."""
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found"
_NOBODY = "<token>"
"""The user name with which a helper says that the secret is an identity token (docker-credential-helpers)."""


def auth_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where to look, first match first. A named file is the only one."""
    if named := environ.get("REGISTRY_AUTH_FILE"):
        return (Path(named),)
    home = Path(environ.get("HOME", "/"))
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    runtime = (Path(environ["XDG_RUNTIME_DIR"]) / "containers/auth.json",) if environ.get("XDG_RUNTIME_DIR") else ()
    return (*runtime, config / "containers/auth.json", docker / "config.json")


class KnownLogins:
    """Logins that the caller has at hand, by host: `{"ghcr.io": Login("x-access-token", token)}`; before those of files."""

    def __init__(self, known: Mapping[str, Login], files: AuthFiles | None = None) -> None:
        self._known = dict(known)
        self._files = files

    async def find(self, host: str, path: str) -> Login | None:
        """A known one, else what the files say."""
        return self._known.get(host) or (await self._files.find(host, path) if self._files else None)


class AuthFiles:
    """Auth files, read when first asked for something. `environ` is for the helpers that they name."""

    def __init__(self, files: tuple[Path, ...], environ: Mapping[str, str], patience: float = PATIENCE) -> None:
        self._files = files
        self._environ = dict(environ)
        self._patience = patience
        self._read: list[tuple[Path, dict[str, Any]]] | None = None

    async def find(self, host: str, path: str) -> Login | None:
        """The first file that has an entry for it. A file that cannot be read, or a helper that fails, raises RegistryFault."""
        if self._read is None:
            self._read = [(file, fields) for file in self._files if (fields := _load(file)) is not None]
        for file, fields in self._read:
            if login := await self._in(file, fields, host, path):
                return login
        return None

    async def _in(self, file: Path, fields: dict[str, Any], host: str, path: str) -> Login | None:
        keys = list(_keys(host, path))
        helpers = fields.get("credHelpers") or {}
        for key in keys:
            if key in helpers:
                return await self._ask(file, str(helpers[key]), key)
        auths = fields.get("auths") or {}
        for key in keys:
            if isinstance(auths.get(key), dict) and (login := _entry(file, auths[key])):
                return login
        if store := fields.get("credsStore"):
            return await self._ask(file, str(store), _HUB_KEY if host == HUB else host)
        return None

    async def _ask(self, file: Path, helper: str, server: str) -> Login | None:
        """The protocol of docker-credential-helpers: the server on standard input, JSON on standard output."""
        if not _HELPER.fullmatch(helper):
            raise RegistryFault(f"{file} names a credential helper {printable(helper, 60)!r}", "name one without slashes")
        program = f"docker-credential-{helper}"
        status, out = await self._run(file, program, server)
        if status and _NOT_FOUND in out.decode("utf-8", "replace"):
            return None
        try:
            told: Any = orjson.loads(out) if not status else {}
            name, secret = told["Username"], told["Secret"]
            assert isinstance(name, str)
            assert isinstance(secret, str)
        except (orjson.JSONDecodeError, KeyError, TypeError, AssertionError):
            raise RegistryFault(
                f"{program} gave no credentials for {server} (exit code {status})", f"run it by hand; {file} names it"
            ) from None
        return Login("", "", secret) if name == _NOBODY else Login(name, secret)

    async def _run(self, file: Path, program: str, server: str) -> tuple[int, bytes]:
        """Its exit code and what it printed; what it says on standard error may hold secrets, and goes nowhere."""
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                program, "get", stdin=pipe, stdout=pipe, stderr=nowhere, env=self._environ, process_group=0
            )
        except OSError as missing:
            fix = f"install it, or take it out of {file}"
            raise RegistryFault(f"{program} cannot be run: {missing.strerror}", fix) from None
        try:
            async with asyncio.timeout(self._patience):
                out, _ = await process.communicate(server.encode())
        except TimeoutError:
            raise RegistryFault(f"{program} did not answer within {self._patience:g} s", f"run it by hand; {file} names it") from None
        finally:
            kill(process.pid)  # what it started holds its pipes too
            await ended(process)
        return process.returncode or 0, out


def _load(file: Path) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(file.read_bytes() or b"{}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as why:
        raise RegistryFault(f"{file} cannot be read: {why.strerror}", "check its owner and mode") from None
    except orjson.JSONDecodeError:
        raise RegistryFault(f"{file} is not JSON", "log in again, or repair it") from None
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name) or {}, dict) for name in ("auths", "credHelpers")):
        raise RegistryFault(f"{file} is no file of credentials", "log in again, or repair it")
    return fields


def _keys(host: str, path: str) -> Iterator[str]:
    """What an entry for a repository may be called: the longest path first, then the host, then old forms."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        yield f"{host}/{'/'.join(parts[:length])}"
    yield host
    yield f"https://{host}"
    yield f"https://{host}/v2/"
    yield f"https://{host}/v1/"
    if host == HUB:
        yield _HUB_KEY
        yield "index.docker.io"


def _entry(file: Path, fields: dict[str, Any]) -> Login | None:
    token = fields.get("identitytoken")
    name, password = fields.get("username") or "", fields.get("password") or ""
    if fields.get("auth"):
        try:
            name, _, password = base64.b64decode(str(fields["auth"]), validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, ValueError):
            raise RegistryFault(f"{file} has an `auth` that is not base64", "log in again") from None
    if token:
        return Login(str(name), "", str(token))
    return Login(str(name), str(password)) if name or password else None
