"""The lock: which builds of each image passed the gate, by digest; which one is current. And its file, as YAML has it."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from reconciler.model.spec import Bool, Date, Int, Name, Spec, Tag
from reconciler.model.value import dataclass

LOCK_VERSION = 1


@dataclass(frozen=True, slots=True)
class Build:
    """One gated build of an image. Its digest is its identity; its tag is a label."""

    digest: str
    tag: str
    key: str
    built: date
    verdict: str = ""
    sbom: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Builds:
    """The builds of one image, newest first."""

    current: Build
    builds: tuple[Build, ...]

    def tagged(self, tag: str) -> Build | None:
        """The newest build that carries `tag`."""
        return next((build for build in self.builds if build.tag == tag), None)

    @property
    def previous(self) -> Build | None:
        """`prev`: the newest other build that is not marked bad."""
        return next((build for build in self.builds if build.digest != self.current.digest and not build.bad), None)


@dataclass(frozen=True, slots=True)
class ResolvedBase:
    """What the name of an external base meant on the day when it was last looked up."""

    digest: str
    resolved: date


@dataclass(frozen=True, slots=True)
class Lock:
    """`fleet.lock` as a value. An empty lock is one in which nothing is built yet."""

    images: Mapping[str, Builds] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Images whose entry has an error: which of their builds runs is not known."""
    bases: Mapping[str, ResolvedBase] = field(default_factory=dict)
    """Reference of an external base -> what it meant."""
    is_broken: bool = False
    """The file as a whole cannot be read, so nothing is known of any image."""

    def builds(self, image: str) -> Builds | None:
        """The gated builds of `image`, or None while there are none."""
        return self.images.get(image)

    def is_unsure(self, image: str) -> bool:
        """Whether nothing follows from there being no builds of `image`: what runs of it stays."""
        return self.is_broken or image in self.broken


class BuildEntry(Spec):
    """One build, as the lock's file has it under its digest."""

    tag: Tag
    """Its label in the registry."""
    key: Annotated[str, Field(max_length=200)] = ""
    """Content key of what it was built from; empty for a build that was entered by hand."""
    built: Date
    """The day on which it was built."""
    verdict: Annotated[str, Field(max_length=200)] = ""
    """Digest of the gate's verdict."""
    sbom: Annotated[str, Field(max_length=200)] = ""
    """Digest of its SBOM."""
    bad: Bool = False
    """Never to be chosen as `prev`."""


class ImageEntry(Spec):
    """One image, as the lock's file has it under its name."""

    current: Annotated[str, Field(max_length=200)]
    """Digest of the build that runs."""
    builds: Annotated[dict[Annotated[str, Field(max_length=200)], BuildEntry], Field(min_length=1)]
    """Builds that passed the gate by their digest, newest first."""


class BaseEntry(Spec):
    """One external base, as the lock's file has it under its reference."""

    digest: Annotated[str, Field(max_length=200)]
    """Digest of its manifest; of a base assembled from Debian packages, that of their list."""
    resolved: Date
    """The day on which it meant that."""


Reference = Annotated[
    str,
    Field(
        title="the reference of an image, or the name of a Debian base",
        pattern=r"^[a-zA-Z0-9][A-Za-z0-9._:/@+-]*$",
        max_length=4096,
        examples=["docker.io/library/python:3.11-slim"],
    ),
]


class LockFile(Spec):
    """A lock's file. Images are read one by one, so that one that is wrong does not hide the others."""

    lock_version: Int
    bases: dict[Reference, Any] = Field(default_factory=dict)
    """External bases by their reference."""
    images: dict[Name, Any] = Field(default_factory=dict)
    """Images by name."""
