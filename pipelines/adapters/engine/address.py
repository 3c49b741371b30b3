"""Where a Dagger engine is, as the Dagger CLI understands `_EXPERIMENTAL_DAGGER_RUNNER_HOST`, and what its other variables are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
CLI = "_EXPERIMENTAL_DAGGER_CLI_BIN"
_CACHES = ("_EXPERIMENTAL_DAGGER_CACHE_CONFIG", "_EXPERIMENTAL_DAGGER_CACHE_IMPORT_CONFIG", "_EXPERIMENTAL_DAGGER_CACHE_EXPORT_CONFIG")
_TOOLS = ("docker", "podman", "nerdctl", "finch")
_QUESTIONS = {tool: (tool, "version") for tool in _TOOLS} | {"apple": ("container", "system", "status")}


class Socket(NamedTuple):
    """An engine behind a Unix socket."""

    path: str


class Port(NamedTuple):
    """An engine behind a TCP port; with `tls`, only that something listens can be known beforehand."""

    host: str
    port: int
    tls: bool


class Tool(NamedTuple):
    """An engine that a program on this machine starts or reaches: any of these questions must be answered with exit code 0."""

    questions: tuple[tuple[str, ...], ...]


class Unknown(NamedTuple):
    """A value that the Dagger CLI has no driver for; says why."""

    why: str


Address = Socket | Port | Tool | Unknown


def address(environment: Mapping[str, str]) -> Address:
    """Where the engine is. Without the variable, the CLI starts its own by the first container tool that answers (engine/client/drivers)."""
    value = environment.get(RUNNER, "").strip()
    if not value:
        return Tool(tuple(_QUESTIONS.values()))
    scheme, separator, rest = value.partition("://")
    if not separator:
        return Unknown(f"{value!r} has no scheme, such as unix:// or tcp://")
    return _by_scheme(scheme, rest, value)


def _by_scheme(scheme: str, rest: str, value: str) -> Address:
    match scheme:
        case "unix":
            return Socket(rest)
        case "tcp" | "tls":
            return _port(scheme, value)
        case "ssh":
            return Tool((("ssh", "-V"),))
        case "kube-pod":
            return Tool((("kubectl", "version", "--client"),))
        case "docker-image" | "docker-container":
            return Tool((_QUESTIONS["docker"],))
        case "image" | "container":
            return Tool(tuple(_QUESTIONS.values()))
        case "dagger-cloud":
            return Tool(())
    kind, _, tool = scheme.partition("+")
    if kind in {"image", "container"} and tool in _QUESTIONS:
        return Tool((_QUESTIONS[tool],))
    return Unknown(f"no engine is reached by {scheme}://")


def _port(scheme: str, value: str) -> Address:
    try:
        parts = urlsplit(value)
        if not parts.hostname or not parts.port:
            return Unknown(f"{value!r} needs a host and a port")
        return Port(parts.hostname, parts.port, scheme == "tls")
    except ValueError as fault:
        return Unknown(f"{value!r}: {fault}")


def inert_cache(environment: Mapping[str, str], engine: str = "0.21") -> str | None:
    """A warning where a registry cache is asked of an engine that has none; `engine` is its version.

    Since 0.21 the CLI still reads these variables and no engine acts on them, without a word
    (https://github.com/dagger/dagger/issues/13405).
    """
    wanted = [name for name in _CACHES if environment.get(name)]
    if not wanted or _minor(engine) < (0, 21):
        return None
    return (
        f"{' and '.join(wanted)} {'does' if len(wanted) == 1 else 'do'} nothing with Dagger {engine}: engines since 0.21 have no registry cache. "
        "Images are cached by their key in the fleet's cache repository instead, whatever the builder; unset it."
    )


def _minor(version: str) -> tuple[int, int]:
    """`v0.21.8` as (0, 21); an unknown version counts as a new one."""
    parts = version.removeprefix("v").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else (0, 21)
