"""The lock: which builds of each image passed the gate, by digest; which one is current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date

from reconciler.model.value import dataclass


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
