"""How registries are spoken to: which hosts without TLS, how patiently, as whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from reconciler.model.value import dataclass

HUB = "docker.io"
HUB_SERVER = "registry-1.docker.io"
DOORS: Mapping[str, tuple[str, str]] = {
    "ghcr.io": ("https://ghcr.io/token", "ghcr.io"),
    HUB: ("https://auth.docker.io/token", "registry.docker.io"),
}
"""Token server and service of hosts where everybody needs a token: knowing them saves the request that would be refused first."""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials for a registry: name and password, or an identity token (OAuth2 refresh token) that stands for both."""

    name: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


class Logins(Protocol):
    """Where credentials come from. Asked once a registry demands some."""

    async def find(self, host: str, path: str) -> Login | None:
        """Those for a repository; None where there are none. May raise RegistryFault."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Patience. Times in seconds, sizes in bytes."""

    attempts: int = 5
    """How often a request is made that fails with 429, 502, 503, 504 or a cut connection."""
    first: float = 0.25
    """Pause before the second attempt; it doubles, and half of it is chance."""
    longest: float = 30.0
    """Longest pause, whatever a server's Retry-After says."""
    connect: float = 5.0
    idle: float = 60.0
    """Longest silence in the middle of a transfer."""
    whole: float = 60.0
    """Longest time for a request that moves no blob."""
    at_once: int = 16
    """Requests in flight to one host, transfers of blobs aside."""
    chunk: int = 64 << 20
    """Size of the pieces where a registry does not take a blob in one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller decides about registries."""

    logins: Logins
    plain: frozenset[str] = frozenset()
    """Hosts (with port, as in references) that are spoken to over plain HTTP, and get no credentials; loopback is anyway, and gets them."""
    secure: frozenset[str] = frozenset()
    """Loopback hosts that do speak TLS."""
    authorities: str | None = None
    """A PEM file with certificate authorities beside the system's."""
    proxy: str | None = None
    """An HTTP proxy for all hosts but loopback."""
    doors: Mapping[str, tuple[str, str]] = field(default_factory=lambda: DOORS)
    """What is thought of hosts before they have said it; what they say counts."""
    pace: Pace = Pace()
    sleep: Callable[[float], Awaitable[None]] | None = None
    """Instead of asyncio.sleep."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, is this machine (RFC 6761, 6.3)."""
    name = host.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def without_port(host: str) -> str:
    """`[::1]:5000` -> `[::1]`."""
    head, colon, port = host.rpartition(":")
    return head if colon and port.isdigit() and not head.endswith(":") else host


def origin(settings: Settings, host: str) -> str:
    """`https://ghcr.io`: where a registry answers."""
    is_plain = host in settings.plain or (is_loopback(without_port(host)) and host not in settings.secure)
    return f"{'http' if is_plain else 'https'}://{HUB_SERVER if host == HUB else host}"
