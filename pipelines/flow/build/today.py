"""Today: what bases that are not the fleet's own mean right now."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from pipelines.core.key import several
from pipelines.model.debian import Resolved, Selection
from pipelines.model.outcome import Failed
from pipelines.model.recipe import FromImage, FromPackages, FromRegistry, Start, Target
from pipelines.model.reference import BadReference, parse_reference
from pipelines.ports import Bases, BuildFailed, Registry, RegistryFault


class Today:
    """Looks up each thing once."""

    def __init__(self, registry: Registry, bases: Bases, targets: Collection[Target]) -> None:
        """`targets` are all of the fleet: they say for which platforms each start is."""
        self._registry, self._bases, self._targets = registry, bases, targets
        self._resolved: dict[str, Resolved] = {}

    async def digests(self, wanted: Collection[Start], known: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Failed]]:
        """What each means: as it is known, else as it is today. What cannot be told is in the second."""
        asked = {str(start): start for start in wanted if not isinstance(start, FromImage)}
        found = {name: known[name] for name in asked if name in known}
        failed: dict[str, Failed] = {}

        async def one(name: str, start: Start) -> None:
            try:
                found[name] = await self.of(start)
            except (BuildFailed, RegistryFault) as fault:
                failed[name] = Failed("look up base", f"{name}: {fault}", fault.fix)

        async with asyncio.TaskGroup() as group:
            for name, start in asked.items():
                if name not in found:
                    group.create_task(one(name, start))
        return found, failed

    async def of(self, start: Start) -> str:
        """One digest for all platforms. Raises BuildFailed, RegistryFault."""
        match start:
            case FromPackages():
                return several({platform: (await self.packages(start, platform)).digest for platform in self.platforms(start)})
            case FromRegistry(reference=text):
                try:
                    reference = parse_reference(text)
                except BadReference as bad:
                    raise RegistryFault(str(bad), "correct `from` in the spec") from None
                if reference.digest:
                    return reference.digest
                found = await self._registry.head(reference.repository, reference.wanted)
                if found is None:
                    raise RegistryFault(f"{reference} is not there", "correct `from`, or name a mirror of it under `bases`", status=404)
                return found.digest
            case FromImage():
                raise AssertionError(start)

    async def packages(self, start: FromPackages, platform: str) -> Resolved:
        """What packages mean on a platform. Raises BuildFailed."""
        selection = Selection(start.suite, start.packages, architecture=platform.split("/")[1])
        name = f"{start} {platform}"
        if name not in self._resolved:
            self._resolved[name] = await self._bases.resolve(selection)
        return self._resolved[name]

    def platforms(self, start: Start) -> tuple[str, ...]:
        """Of everything that starts from it, whether it is asked for or not: what a root means hangs on the fleet, not on one build."""
        return tuple(sorted({platform for target in self._targets if target.start == start for platform in target.platforms}))
