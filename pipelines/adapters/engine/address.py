"""Where a Dagger engine is, as the Dagger CLI understands `_EXPERIMENTAL_DAGGER_RUNNER_HOST`, and what its other variables are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
CLI = "_EXPERIMENTAL_DAGGER_CLI_BIN"
_CACHES = ("_EXPERIMENTAL_DAGGER_CACHE_CONFIG", "_EXPERIMENTAL_DAGGER_CACHE_IMPORT_CONFIG", "_EXPERIMENTAL_DAGGER_CACHE_EXPORT_CONFIG")
_TOOLS = ("docker", "apple", "podman", "finch", "nerdctl")
"""Container tools in the order in which the CLI looks for them."""


class Socket(NamedTuple):
    """An engine behind a Unix socket."""

    path: str


class Port(NamedTuple):
    """An engine behind a TCP port; with `tls`, only that something listens can be known beforehand."""

    host: str
    port: int
    tls: bool


class Tool(NamedTuple):
    """An engine that a program on this machine starts or reaches: the first of these programs that is here must answer with exit code 0."""

    questions: tuple[tuple[str, ...], ...]
    starts: bool = False
    """Whether the CLI starts the engine, which may mean to download it first."""


class Unknown(NamedTuple):
    """A value that the Dagger CLI has no driver for; says why."""

    why: str


Address = Socket | Port | Tool | Unknown


def address(environment: Mapping[str, str]) -> Address:
    """Where the engine is. Without the variable, the CLI starts its own by the first container tool that is here (engine/client/drivers)."""
    value = environment.get(RUNNER, "").strip()
    if not value:
        return _tool("image", "", "")
    scheme, separator, rest = value.partition("://")
    if not separator:
        return Unknown(f"{value!r} has no scheme, such as unix:// or tcp://")
    match scheme:
        case "unix":
            return Socket(rest)
        case "tcp" | "tls":
            return _port(scheme, value)
        case "ssh":
            return _ssh(value)
        case "kube-pod":
            return _pod(value)
        case "dagger-cloud":
            return Tool(())
    return _by_tool(scheme, rest)


def _by_tool(scheme: str, rest: str) -> Address:
    what, _, tool = scheme.partition("+")
    if scheme in {"docker-image", "docker-container"}:
        tool, _, what = scheme.partition("-")
    if what not in {"image", "container"} or (tool and tool not in _TOOLS):
        return Unknown(f"no engine is reached by {scheme}://")
    return _tool(what, tool, rest.partition("?")[0])


def _tool(what: str, tool: str, name: str) -> Tool:
    """Apple's tool is called `container`, and has words of its own."""
    wanted = (tool,) if tool else _TOOLS
    if what == "container":
        return Tool(tuple(("container", "inspect", name) if one == "apple" else (one, "container", "inspect", name) for one in wanted))
    return Tool(tuple(("container", "system", "status") if one == "apple" else (one, "version") for one in wanted), starts=True)


def _ssh(value: str) -> Address:
    parts = urlsplit(value)
    if not parts.hostname:
        return Unknown(f"{value!r} needs a host")
    port = ("-p", str(parts.port)) if parts.port else ()
    name = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    return Tool((("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", *port, name, "true"),))


def _pod(value: str) -> Address:
    parts = urlsplit(value)
    if not parts.hostname:
        return Unknown(f"{value!r} needs the name of a pod")
    query = parse_qs(parts.query)
    more = [f"--{name}={query[name][0]}" for name in ("context", "namespace") if name in query]
    return Tool((("kubectl", "get", "pod", parts.hostname, "--request-timeout=3s", *more),))


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
