"""Standing: whether what should stand in registries does: builds by their digests, tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipelines.flow.each import each
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Registry

AT_ONCE = 8


async def missing_tags(registry: Registry, repository: Repository, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the tags that stand for something else, or for nothing. One HEAD a tag. Raises RegistryFault."""
    found = await each(wanted, lambda tag: registry.head(repository, tag), AT_ONCE)
    return {tag: digest for (tag, digest), stands in zip(wanted.items(), found, strict=True) if stands is None or stands.digest != digest}


async def all_there(registry: Registry, builds: Collection[Pinned]) -> bool:
    """Whether each of these stands in its repository. One HEAD each, as many at once as the registry is asked. Raises RegistryFault."""
    found = await each(builds, lambda one: registry.head(one.repository, one.digest), max(1, len(builds)))
    return None not in found
