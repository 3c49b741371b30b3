"""Reach of notifications: whether one may go to an address, so that nobody makes the operator talk to what only it can see."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
"""An IPv4 address in the last 32 bits (RFC 6052)."""
_METADATA = frozenset(
    {ip_address("169.254.169.254"), ip_address("fd00:ec2::254"), ip_address("100.100.100.200"), ip_address("168.63.129.16")}
)
"""Where clouds give out credentials; some of them are not link-local."""


def unreachable(address: str, host: str, private_hosts: Iterable[str], *, trial: bool) -> str:
    """Why a message may not go to `address`, which `host` resolved to; empty where it may.

    Private networks only for hosts that `privateHosts` names; the machine itself only in a trial; link-local and metadata never.
    """
    try:
        found = _plain(ip_address(address.partition("%")[0]))
    except ValueError:
        return f"{host} has no address that is one"
    if found in _METADATA or found.is_link_local or found.is_multicast or found.is_unspecified:
        return f"{host} is {found}, which nothing is ever sent to"
    if found.is_loopback:
        return "" if trial else f"{host} is this machine itself"
    if not found.is_global and host.lower() not in {name.lower() for name in private_hosts}:
        return f"{host} is {found}, in a private network; name the host under `privateHosts` if that is meant"
    return ""


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
