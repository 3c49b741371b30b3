"""Describe: what is in an image, as a scanner lists it - if it listed all that the package manager does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from pipelines.core.config import Image
from pipelines.core.dpkg import STATUS, unlisted
from pipelines.core.sbom.bom import components, tool
from pipelines.core.sbom.canonical import canonical
from pipelines.core.visible import visible
from pipelines.flow.build.outfit import Outfit
from pipelines.ports import NoVerdict
from reconciler.model.value import dataclass

NAMED = 5
"""Packages that are named one by one."""


@dataclass(frozen=True, slots=True)
class Described:
    """The SBOM as it stands inside an image, and what listed the packages: `trivy 0.76.0`."""

    sbom: bytes
    scanner: str


async def describe(outfit: Outfit, name: str, image: Image, layout: PurePath, owners: Mapping[str, str]) -> Described:
    """The packages of an image in a layout folder; layers that nobody else owns are its own. Raises NoVerdict, NotABom, BuildFailed.

    A scanner that passes over what dpkg lists has not seen it all, so its silence would say nothing.
    """
    listed = await outfit.scanner.inventory(layout)
    status = await outfit.images.read(image, STATUS)
    if status is not None and (missing := unlisted(status, components(listed))):
        more = f" and {len(missing) - NAMED} more" if missing[NAMED:] else ""
        raise NoVerdict(
            f"the scanner passed over {len(missing)} of the packages that dpkg lists: "
            f"{', '.join(visible(one, 80) for one in missing[:NAMED])}{more}",
            f"look at /{STATUS} in the image: is there an entry with control characters, or a line of more than 131,072 characters?",
        )
    own = dict.fromkeys(image.config.diff_ids, name)
    return Described(canonical(listed, name, {**own, **owners}), tool(listed) or "unknown")
