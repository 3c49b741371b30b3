"""Standing: which tags of a repository are not what they should be."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.flow.each import each
from pipelines.model.oci import Repository
from pipelines.ports import Registry

AT_ONCE = 8


async def missing_tags(registry: Registry, repository: Repository, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the tags that stand for something else, or for nothing. One HEAD a tag. Raises RegistryFault."""
    found = await each(wanted, lambda tag: registry.head(repository, tag), AT_ONCE)
    return {tag: digest for (tag, digest), stands in zip(wanted.items(), found, strict=True) if stands is None or stands.digest != digest}
