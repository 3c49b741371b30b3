"""Egress: addresses outside the cluster that pods may reach, and the NetworkPolicy rule that opens them."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.model.spec import Port, Spec


def _block(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as problem:
        raise ValueError(f"{problem}; a block is written such as 10.20.0.0/16") from None
    return text


Cidr = Annotated[
    str,
    Field(
        title="a block of addresses: an address, `/`, and the length of its prefix",
        pattern=r"^[0-9a-fA-F:.]+/[0-9]{1,3}$",
        max_length=49,
        examples=["0.0.0.0/0", "10.20.0.0/16"],
    ),
    AfterValidator(_block),
]
"""A block of addresses (RFC 4632, RFC 4291), without bits beyond its prefix."""


class Egress(Spec):
    """Addresses outside the cluster that may be reached."""

    cidr: Cidr
    """Block of addresses."""
    excluding: tuple[Cidr, ...] = ()
    """Blocks inside it that stay closed."""
    ports: tuple[Port, ...] = ()
    """TCP ports; empty means all."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for block in self.excluding:
            if not _within(ip_network(block), ip_network(self.cidr)):
                raise ValueError(f"{block} is not a part of {self.cidr}, so there is nothing to exclude")
        return self


def _within(part: IPv4Network | IPv6Network, whole: IPv4Network | IPv6Network) -> bool:
    if isinstance(part, IPv4Network) and isinstance(whole, IPv4Network):
        return part != whole and part.subnet_of(whole)
    if isinstance(part, IPv6Network) and isinstance(whole, IPv6Network):
        return part != whole and part.subnet_of(whole)
    return False


def opened(egress: Egress) -> dict[str, Any]:
    """The egress rule of a NetworkPolicy."""
    block: dict[str, Any] = {"cidr": egress.cidr}
    if egress.excluding:
        block["except"] = list(egress.excluding)
    rule: dict[str, Any] = {"to": [{"ipBlock": block}]}
    if egress.ports:
        rule["ports"] = [{"protocol": "TCP", "port": port} for port in sorted(set(egress.ports))]
    return rule
