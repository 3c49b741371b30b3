"""A builder that runs nothing: it understands FROM, COPY of single files, USER and LABEL. The port Builder for real, and done in no time."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePath

from pipelines.ports import BuildFailed, Log, Made, Order


class CopyBuilder:
    """Counts what it built, by image."""

    def __init__(self) -> None:
        self.built: list[str] = []

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        """A layer of what COPY says, and the settings."""
        self.built.append(order.name)
        run: dict[str, object] = {}
        target = Path(into) / "changes.tar"
        with tarfile.open(target, "w") as archive:
            for line in filter(None, order.dockerfile.splitlines()):
                log(line)
                match line.split():
                    case ["FROM", _]:
                        pass
                    case ["COPY", source, path]:
                        data = (Path(order.context) / source).read_bytes()
                        member = tarfile.TarInfo(path.strip("/"))
                        member.size, member.mode = len(data), 0o644
                        archive.addfile(member, io.BytesIO(data))
                    case ["USER", name]:
                        run["User"] = name
                    case _:
                        raise BuildFailed(f"{line} is not understood here")
        return Made(target, run)

    async def run(self, layout: PurePath, command: tuple[str, ...], log: Log) -> None:
        """Nothing can be run."""
        raise BuildFailed(f"{command[0]} cannot be run here")

    async def close(self) -> None:
        """Nothing was started."""
