"""The lock's file, as YAML has it. Apart from what it means, which many need who read no file."""

from typing import Annotated, Any

from pydantic import Field

from reconciler.model.spec import Bool, Date, Int, Name, Spec, Tag

LOCK_VERSION = 1


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
