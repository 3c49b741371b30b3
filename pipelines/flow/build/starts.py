"""Starts: where what images start from stands, put together where nobody did before."""

from __future__ import annotations

import asyncio

from pipelines.core.config import documents, empty
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.today import Today
from pipelines.flow.cache import Hit, look_up, settle
from pipelines.flow.publish import Package, publish
from pipelines.model.oci import Pinned
from pipelines.model.recipe import SOURCE_DATE, FromImage, FromPackages, FromRegistry, Start
from pipelines.model.reference import parse_reference
from pipelines.ports import BuildFailed
from reconciler.model import canonical

ROOTS = "roots"
"""Below the cache: root file systems out of packages, under the digest of their list."""


class Starts:
    """Looks up each thing once."""

    def __init__(self, outfit: Outfit, wish: Wish) -> None:
        self._outfit, self._wish = outfit, wish
        self.today = Today(outfit.registry, outfit.bases, wish.targets)
        self._roots: dict[str, asyncio.Lock] = {}

    async def pinned(self, start: Start, digest: str, platform: str) -> Pinned:
        """The manifest that an image starts from. A root out of packages is put together where nobody did before. Raises BuildFailed, RegistryFault."""
        match start:
            case FromImage(name=name):
                return Pinned(self._wish.repository(name), digest)
            case FromRegistry(reference=text):
                return Pinned(parse_reference(text).repository, digest)
            case FromPackages():
                async with self._roots.setdefault(f"{digest} {platform}", asyncio.Lock()):
                    return await self._root(start, digest, platform)

    async def _root(self, start: FromPackages, digest: str, platform: str) -> Pinned:
        outfit, shelf = self._outfit, self._wish.shelf(ROOTS)
        several = len(self.today.platforms(start)) > 1
        name = canonical.digest({"root": digest, "platform": platform}) if several else digest
        there = await look_up(outfit.registry, shelf, name)
        if isinstance(there, Hit):
            return there.pinned
        resolved = await self.today.packages(start, platform)
        if await self.today.of(start) != digest:
            raise BuildFailed(
                f"{start} is not what it was when it was locked, and the root of that day is not in the cache",
                "fleet images refresh takes today's packages",
            )
        label = str(start)
        outfit.watcher.phase(label, "put together")
        with outfit.desk.scratch("root") as folder:
            made = await outfit.bases.build(resolved, folder, SOURCE_DATE, lambda line: outfit.watcher.line(label, line))
            image = await outfit.images.extend(empty(platform), None, made, SOURCE_DATE)
        published = await publish(outfit.registry, Package(documents(image).manifest, outfit.images.blob), shelf)
        return (await settle(outfit.registry, published.pinned, shelf, name)).pinned
