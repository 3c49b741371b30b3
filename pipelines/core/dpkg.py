"""Dpkg: what the package manager itself says is installed, held against what a scanner listed.

Trivy leaves out a package whose entry has control characters, and a whole layer's list where one line has more than 131,072
characters, and says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.core.sbom.bom import Component

STATUS = "var/lib/dpkg/status"
"""In an image."""


def unlisted(status: bytes, components: Iterable[Component]) -> tuple[str, ...]:
    """`name version` of each installed package that is not among these; `status` is the file (deb822, dpkg-query(1))."""
    listed = {(one.name, one.version) for one in components if one.ecosystem == "deb"}
    return tuple(sorted(f"{name} {version}" for name, version in installed(status) if (name, version) not in listed))


def installed(status: bytes) -> Iterator[tuple[str, str]]:
    """Name and version of each package whose state is `installed`."""
    for paragraph in status.decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in paragraph.split("\n") if line and not line[0].isspace())
        name, state = fields.get("Package", "").strip(), fields.get("Status", "").split()
        if name and state[-1:] == ["installed"]:
            yield name, fields.get("Version", "").strip()
