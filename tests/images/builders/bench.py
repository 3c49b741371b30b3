"""What the contract of builders stands on: orders, and what builders made of them."""

from __future__ import annotations

import itertools
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.ports import Builder, Made, Order
from tests.images.builders.base import Base

_COUNT = itertools.count(1)
CAPABILITY = "SCHILY.xattr.security.capability"
DATE = 1_700_000_000


class Entry(NamedTuple):
    """An entry of a layer, as far as the contract cares."""

    type: bytes
    mode: int
    owner: tuple[int, int]
    link: str
    content: bytes
    capability: bytes


class Result(NamedTuple):
    """What a build came to."""

    changed: Mapping[str, Entry]
    gone: frozenset[str]
    """Paths that whiteouts name; those under an opaque folder are not among them."""
    opaque: frozenset[str]
    settings: Mapping[str, Any]
    log: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        return dict(str(pair).split("=", 1) for pair in self.settings.get("Env") or ())

    def is_gone(self, path: str) -> bool:
        """Whether a layer on top of the parent hides the parent's `path`."""
        parts = path.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        return bool(above & self.gone) or (bool(above & self.opaque) and path not in self.changed)


@dataclass
class Bench:
    """A builder under test."""

    name: str
    builder: Builder
    base: Base
    folder: Path
    log: list[str] = field(default_factory=list)
    unlike: str = field(default_factory=lambda: str(time.time_ns()))
    """A word that no other test has: a step with it in it is in no cache, which would print nothing."""

    def order(self, steps: str, files: Mapping[str, str | bytes] | None = None, *, head: str = "", **more: Any) -> Order:
        """An order of these steps upon the base, with these files as its context."""
        context = self.folder / f"context-{next(_COUNT)}"
        context.mkdir()
        for name, content in (files or {}).items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        text = f"{head}FROM {self.base.pinned}\n{steps}"
        known = {"source_date": DATE, "layers": self.base.layers}
        return Order(f"image-{next(_COUNT)}", context, text, self.base.pinned, "linux/amd64", **{**known, **more})

    async def make(self, order: Order) -> tuple[Made, Path]:
        into = self.folder / f"made-{next(_COUNT)}"
        into.mkdir()
        return await self.builder.build(order, into, self.log.append), into

    async def build(self, steps: str, files: Mapping[str, str | bytes] | None = None, **more: Any) -> Result:
        """Builds these steps and reads what was made."""
        made, _ = await self.make(self.order(steps, files, **more))
        return read(made, tuple(self.log))


def read(made: Made, log: tuple[str, ...] = ()) -> Result:
    """Reads a layer; a hard link has what the file has that it links to."""
    changed: dict[str, Entry] = {}
    gone, opaque = set(), set()
    with tarfile.open(Path(made.changes)) as tar:
        for one in tar:
            path = one.name.removeprefix("./").strip("/")
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                opaque.add(folder)
            elif name.startswith(".wh."):
                gone.add(f"{folder}/{name[4:]}".lstrip("/"))
            elif path:
                file = tar.extractfile(one) if one.isreg() or one.islnk() else None
                capability = one.pax_headers.get(CAPABILITY, "").encode(errors="surrogateescape")
                changed[path] = Entry(
                    one.type, one.mode & 0o7777, (one.uid, one.gid), one.linkname, file.read() if file else b"", capability
                )
    return Result(changed, frozenset(gone), frozenset(opaque), made.run, log)
