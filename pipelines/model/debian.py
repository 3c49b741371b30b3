"""Base images out of Debian packages: what was asked for, and what that is today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.canonical import digest

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
UNRELEASED = ("sid", "unstable")
"""Suites without updates and security fixes of their own."""
Variant = Literal["minbase", "essential", "extract"]
"""Of mmdebstrap: `minbase` has apt, `essential` only what every Debian has, `extract` nothing but the packages, unpacked, unconfigured."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a base is made of: `{debian: {suite: bookworm, packages: [ca-certificates]}}`."""

    suite: str
    packages: tuple[str, ...] = ()
    variant: Variant = "minbase"
    architecture: str = "amd64"


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One package, down to its bytes."""

    name: str
    version: str
    sha256: str
    architecture: str = "amd64"
    size: int = 0
    """Bytes of the .deb."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a selection is, by an archive of some day: every package of the base, sorted."""

    selection: Selection
    packages: tuple[Package, ...]

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of all that decides the base's files. It stands where other bases have the digest of their manifest."""
        packages = [[each.name, each.version, each.sha256] for each in self.packages]
        return digest([self.selection.suite, self.selection.variant, self.selection.architecture, packages])


def sources(suite: str, mirror: str = MIRROR, security: str = SECURITY, options: str = "") -> str:
    """A sources.list (sources.list(5)) with updates and security fixes."""
    lines = [f"deb {options}{mirror} {suite} main"]
    if suite not in UNRELEASED:
        lines += [f"deb {options}{mirror} {suite}-updates main", f"deb {options}{security} {suite}-security main"]
    return "\n".join(lines) + "\n"
