"""What an image's spec says: where it starts, what is added, and what it must pass."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.fleet import DebianBase
from reconciler.model.quantities import Memory
from reconciler.model.spec import Date, Int, Name, Spec, Text, exactly_one

ImageRef = Annotated[
    str,
    Field(
        title="a full reference to an image: registry, path, and a tag or a digest",
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$",
        max_length=512,
        examples=["docker.io/library/python:3.11-slim"],
    ),
]
"""A full reference to an image in a registry (OCI distribution specification): host, path, tag or digest or both."""
Folder = Annotated[
    str,
    Field(
        title="a path from the root of the repository, without `..`",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$",
        max_length=255,
    ),
]
"""A folder of the repository, from its root; it cannot lead out of it."""
Platform = Annotated[
    str,
    Field(
        title="a platform: linux/amd64, linux/arm64, linux/arm/v7, linux/386, linux/ppc64le, linux/riscv64 or linux/s390x",
        pattern=r"^linux/(amd64|arm64|arm/v7|386|ppc64le|riscv64|s390x)$",
        examples=["linux/amd64"],
    ),
]
CudaVersion = Annotated[
    str, Field(title="a CUDA version: two numbers with a dot between them", pattern=r"^[0-9]{1,2}\.[0-9]{1,2}$", examples=["12.1"])
]
BuildArg = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
Vulnerability = Annotated[
    str, Field(title="the id of a vulnerability", pattern=r"^[A-Z][A-Z0-9]*(-[A-Za-z0-9]+)+$", max_length=64, examples=["CVE-2026-12345"])
]
Level = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]


class From(Spec):
    """Where an image starts. Exactly one of these."""

    one_of: ClassVar = ("image", "registry", "debian")

    image: Name | None = None
    """Another image of this fleet; its edit rebuilds this one too."""
    registry: ImageRef | None = None
    """An image that somebody else publishes: a base, or without a context a mirror of it."""
    debian: DebianBase | None = None
    """A root file system put together from Debian packages."""

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        exactly_one(self)
        return self


PackageName = Annotated[
    str, Field(title="the name of a package", pattern=r"^[A-Za-z0-9@][A-Za-z0-9@._+/:~-]*$", max_length=200, examples=["zlib"])
]


class Waiver(Spec):
    """A vulnerability that this image, and what starts from it, may have for a while."""

    owner: Text
    """Who answers for it."""
    reason: Text
    """Why it is bearable."""
    until: Date
    """Last day it counts; after that the gate fails again."""
    packages: tuple[PackageName, ...] = ()
    """Packages, or the source packages they are built from, that may have it; by default every one."""
    while_: Annotated[Literal["unfixed"] | None, Field(alias="while")] = None
    """`unfixed`: only for as long as no update fixes it, and for 90 days at most."""


class Gate(Spec):
    """What a build must pass before it gets a tag that can be deployed. What is not said here is the fleet's `gate`."""

    fail_on: tuple[Level, ...] | None = None
    """Severities that fail the build."""
    unfixed: Literal["fail", "warn"] | None = None
    """What to do about vulnerabilities that no update fixes yet."""
    waivers: dict[Vulnerability, Waiver] = Field(default_factory=dict)
    """Exceptions by vulnerability, each with owner, reason and last day."""
    vex: tuple[Folder, ...] = ()
    """OpenVEX files of the repository that say which vulnerabilities do not apply."""


class Audit(Spec):
    """What the dependency audit looks through: Python imports and shared libraries that the image lacks."""

    python: tuple[str, ...] = ()
    """Folders in the image whose Python imports must resolve."""
    libraries: tuple[str, ...] = ()
    """Folders in the image whose shared objects must find all they link to."""
    packages: tuple[str, ...] = ()
    """Debian packages that must be there because code loads them at run time, such as `ffmpeg`."""


class ImageSpec(Spec):
    """An image of the fleet: built from a context, or mirrored from another registry."""

    from_: Annotated[From, Field(alias="from")]
    """Where it starts."""
    context: Folder | None = None
    """Folder with the Dockerfile and its files; none for a mirror or a plain Debian root."""
    dockerfile: Folder = "Dockerfile"
    """The Dockerfile, from the context."""
    shared: tuple[Folder, ...] = ()
    """Folders that several contexts share, such as `images/runtime`: each is put into the context under its last name, and its files are
    part of the image's key like the context's own."""
    args: dict[BuildArg, str] = Field(default_factory=dict)
    """Build arguments. They are part of the image's key, and readable in it: never a secret."""
    platforms: tuple[Platform, ...] | None = None
    """Platforms to build for; by default the environment's."""
    machines: tuple[Name, ...] = ()
    """Machines whose driver this image must suit, one column of the build matrix each; empty means wherever its services go."""
    cuda: CudaVersion | None = None
    """CUDA runtime inside; inherited by images that start from this one. Checked against the driver of each machine."""
    smoke: tuple[str, ...] = ()
    """A command, word by word, that must succeed in a new build, without network and as the image's user, before the gate looks at it."""
    gate: Gate = Gate.unsaid()
    """What a build must pass."""
    size_budget: Memory | None = None
    """Largest sum of compressed layers; a build above it fails the gate."""
    audit: Audit = Audit.unsaid()
    """What the dependency audit looks through."""
    epoch: Annotated[Int, Field(ge=0)] = 0
    """Raise it to rebuild with the distribution's fixes although no file changed (`fleet images refresh`)."""

    @property
    def is_mirror(self) -> bool:
        """Published as it is upstream, nothing added."""
        return self.from_.registry is not None and self.context is None
