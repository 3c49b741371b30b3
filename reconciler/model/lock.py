"""The lock: which builds of each image passed the gate, by digest; which one is current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


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
class Lock:
    """`fleet.lock` as a value. An empty lock is one in which nothing is built yet."""

    images: Mapping[str, Builds] = field(default_factory=dict)

    def builds(self, image: str) -> Builds | None:
        """The gated builds of `image`, or None while there are none."""
        return self.images.get(image)
