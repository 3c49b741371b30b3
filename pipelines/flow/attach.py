"""Attaches SBOM, provenance, verdict and signature to an image, and sees to it that they are listed."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.flow.publish import Package, Source, push_blobs
from pipelines.flow.reading import blobs_of, understood
from pipelines.model.oci import Descriptor, ImageIndex, Pinned, Repository
from pipelines.ports import Registry, RegistryFault

ROUNDS = 3
"""Looks at the list, each after what was missing was attached again."""


async def attach(
    registry: Registry, image: Pinned, packages: Sequence[Package], parents: tuple[Repository, ...] = (), *, is_new: bool = False
) -> None:
    """All blobs, mounted from `parents` where they can be, then what is attached at once, since it may share a list; then the list is read,
    as another writer may have taken one out. Raises RegistryFault.
    """
    wanted = {package.document.digest: package for package in packages}
    sources: dict[str, tuple[Descriptor, Source]] = {}
    for package in packages:
        value = understood(package.document.digest, package.document)
        if isinstance(value, ImageIndex) or value.subject is None or value.subject.digest != image.digest:
            raise RegistryFault(f"{package.document.digest} does not belong to {image}", "its `subject` must name the image")
        sources |= {blob.digest: (blob, package.source) for blob in blobs_of(value)}
    await push_blobs(registry, sources.values(), image.repository, parents, is_new=is_new)
    listed = await registry.attach(image.repository, *(package.document for package in packages))
    for _ in range(ROUNDS):
        if listed.issuperset(wanted):
            return
        listed = frozenset(one.digest for one in await registry.referrers(image.repository, image.digest))
        missing = [package for digest, package in wanted.items() if digest not in listed]
        if not missing:
            return
        await registry.attach(image.repository, *(package.document for package in missing))
    raise RegistryFault(f"{image}: {missing[0].document.digest} was attached and is not listed", "let one job at a time write")
