"""Recipes: everything of an image that reaches its builder, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

RECIPE = 2
"""Of the assembly itself: raise it when the same files would become another image."""


class File(NamedTuple):
    """A file of a context: its mode as git stores it (file, executable or symbolic link), and its bytes (the target of a link)."""

    mode: int
    data: bytes


Files = Mapping[str, File]
"""By path from the context's root."""


@dataclass(frozen=True, slots=True)
class FromImage:
    """It starts from another image of the fleet."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class FromRegistry:
    """It starts from an image that somebody else publishes."""

    reference: str

    def __str__(self) -> str:
        return self.reference


@dataclass(frozen=True, slots=True)
class FromPackages:
    """It starts from Debian packages, put together to a root file system."""

    suite: str
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"debian:{self.suite}+{'+'.join(self.packages)}" if self.packages else f"debian:{self.suite}"


Start = FromImage | FromRegistry | FromPackages


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be built: an image of the fleet, or a service's own build."""

    ref: Ref
    name: str
    """In registry and lock."""
    start: Start
    """Where it really starts here: a stand-in of the environment instead of a base that cannot be reached."""
    literal: str
    """How its Dockerfile names where it starts."""
    context: str | None
    """Its folder; None for a mirror or a plain root."""
    dockerfile: str
    """Path of the Dockerfile in the context."""
    shared: tuple[str, ...]
    """Folders of the repository that are put into the context, each under its last name."""
    args: Mapping[str, str]
    epoch: int
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one image is made of on one platform."""

    name: str
    start: Start
    start_digest: str
    """Of the manifest that it starts from; of the list of packages, for a root put together from them."""
    dockerfile: str
    files: Files
    """The context, filtered; empty for a mirror."""
    externals: Mapping[str, str]
    """Whatever else the Dockerfile takes from registries: reference -> digest."""
    args: Mapping[str, str]
    epoch: int
    platform: str


SOURCE_DATE = 1_735_689_600
"""SOURCE_DATE_EPOCH of every build, 2025-01-01: the same for the same recipe, whenever it is built (reproducible-builds.org/specs/source-date-epoch)."""
