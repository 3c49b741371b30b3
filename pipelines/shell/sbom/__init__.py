"""`fleet sbom`: its commands by name, each imported when it is called."""

from __future__ import annotations

from pipelines.shell.group import LazyGroup

COMMANDS: dict[str, str] = {
    "search": "say which images and running services carry a package",
    "diff": "say what one image has that another has not",
}
"""Command -> its one line of help. The module of each is `pipelines.shell.sbom.NAME`, its function `command`."""

command = LazyGroup(
    "sbom",
    __name__,
    COMMANDS,
    {},
    """Search and compare what is in the images.

Every build has a CycloneDX SBOM, inside the image and beside it in the registry; the ledger remembers which packages are in which.""",
)
