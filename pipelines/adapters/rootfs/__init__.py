"""Root file systems of OCI image layouts (image spec 1.1, image-layout.md), read layer by layer as streams; nothing is unpacked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from pipelines.adapters.rootfs.reading import Reading
from pipelines.core.audit.evidence import Evidence
from pipelines.core.audit.look import Look


class LayoutRoots:
    """Reads layouts on the local disk. `scratch` is where files that are looked at lie for a moment; by default the system's folder for that."""

    def __init__(self, scratch: PurePath | None = None) -> None:
        self.scratch = str(scratch) if scratch is not None else None

    @asynccontextmanager
    async def read(self, layout: PurePath, look: Look, platform: str = "linux/amd64") -> AsyncIterator[Evidence]:
        """See ports.Roots.read."""
        with tempfile.TemporaryFile(dir=self.scratch) as kept:
            yield await asyncio.to_thread(Reading(Path(layout), look, kept, self.scratch).all, platform)
