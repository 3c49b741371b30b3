"""Starts: what images that are not the fleet's own mean today, and where they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from pipelines.core.config import documents, empty
from pipelines.core.key import several as joined
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.cache import Hit, look_up, settle
from pipelines.flow.publish import Package, publish
from pipelines.model.debian import Resolved, Selection
from pipelines.model.oci import Pinned
from pipelines.model.outcome import Failed
from pipelines.model.recipe import SOURCE_DATE, FromImage, FromPackages, FromRegistry, Start
from pipelines.model.reference import BadReference, parse_reference
from pipelines.ports import BuildFailed, RegistryFault
from reconciler.model import canonical

ROOTS = "roots"
"""Below the cache: root file systems out of packages, under the digest of their list."""


class Starts:
    """Looks up each thing once."""

    def __init__(self, outfit: Outfit, wish: Wish) -> None:
        self._outfit, self._wish = outfit, wish
        self._resolved: dict[str, Resolved] = {}
        self._roots: dict[str, asyncio.Lock] = {}

    async def digests(self, wanted: Collection[Start], known: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Failed]]:
        """What each means: as it is known, else as it is today. What cannot be told is in the second."""
        asked = {str(start): start for start in wanted if not isinstance(start, FromImage)}
        found = {name: known[name] for name in asked if name in known}
        failed: dict[str, Failed] = {}

        async def one(name: str, start: Start) -> None:
            try:
                found[name] = await self._today(start)
            except (BuildFailed, RegistryFault) as fault:
                failed[name] = Failed("look up base", f"{name}: {fault}", fault.fix)

        async with asyncio.TaskGroup() as group:
            for name, start in asked.items():
                if name not in found:
                    group.create_task(one(name, start))
        return found, failed

    async def _today(self, start: Start) -> str:
        match start:
            case FromPackages():
                return joined({platform: (await self._packages(start, platform)).digest for platform in self._platforms(start)})
            case FromRegistry(reference=text):
                try:
                    reference = parse_reference(text)
                except BadReference as bad:
                    raise RegistryFault(str(bad), "correct `from` in the spec") from None
                if reference.digest:
                    return reference.digest
                found = await self._outfit.registry.head(reference.repository, reference.wanted)
                if found is None:
                    raise RegistryFault(f"{reference} is not there", "correct `from`, or name a mirror of it under `bases`", status=404)
                return found.digest
            case FromImage():
                raise AssertionError(start)

    async def _packages(self, start: FromPackages, platform: str) -> Resolved:
        selection = Selection(start.suite, start.packages, architecture=platform.split("/")[1])
        name = f"{start} {platform}"
        if name not in self._resolved:
            self._resolved[name] = await self._outfit.bases.resolve(selection)
        return self._resolved[name]

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

    def _platforms(self, start: Start) -> tuple[str, ...]:
        """Of everything that starts from it, whether it is asked for or not: what a root means hangs on the fleet, not on one build."""
        return tuple(sorted({platform for target in self._wish.targets if target.start == start for platform in target.platforms}))

    async def _root(self, start: FromPackages, digest: str, platform: str) -> Pinned:
        outfit, shelf = self._outfit, self._wish.shelf(ROOTS)
        several = len(self._platforms(start)) > 1
        name = canonical.digest({"root": digest, "platform": platform}) if several else digest
        there = await look_up(outfit.registry, shelf, name)
        if isinstance(there, Hit):
            return there.pinned
        resolved = await self._packages(start, platform)
        if await self._today(start) != digest:
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
