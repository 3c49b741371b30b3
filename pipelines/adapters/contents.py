"""Contents indices of Debian and Ubuntu mirrors: fetched once a suite, kept as a small table of libraries."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO

from pipelines.core.audit.contents import MIRRORS, Row, matches, paths, rows, source
from pipelines.model.audit import System
from pipelines.ports import NoContents

MAX_AGE = 30 * 24 * 3600
"""Seconds that a table is used before the mirror is asked again: packages of a release move little."""
MAX_DOWNLOAD = 512 << 20
MAX_UNPACKED = 8 << 30
TIMEOUT = 30.0
"""Seconds without a byte."""


class MirrorContents:
    """Asks the mirror of each distribution; `folder` is where tables are kept."""

    def __init__(self, folder: PurePath, mirrors: Mapping[str, str] | None = None, *, max_age: float = MAX_AGE) -> None:
        self.folder = Path(folder)
        self.mirrors = {**MIRRORS, **(mirrors or {})}
        self.max_age = max_age

    async def libraries(self, system: System, names: frozenset[str]) -> tuple[Row, ...]:
        """See ports.Packages.libraries."""
        if not names:
            return ()
        mirror = self.mirrors.get(source(system.id, system.architecture), "").rstrip("/")
        if not (mirror and system.suite.isidentifier() and system.architecture.isalnum()):
            raise NoContents(f"which packages {system} has for {len(names)} libraries is not known: it is neither Debian nor Ubuntu")
        table = self.folder / f"{system.id}-{system.suite}-{system.architecture}-{hashlib.sha256(mirror.encode()).hexdigest()[:12]}.tsv"
        if not self._is_fresh(table):
            await self._fetch(table, [f"{mirror}/{path}" for path in paths(system.id, system.suite, system.architecture)])
        return await asyncio.to_thread(_picked, table, names)

    def _is_fresh(self, table: Path) -> bool:
        try:
            return 0 <= time.time() - table.stat().st_mtime < self.max_age
        except OSError:
            return False

    async def _fetch(self, table: Path, addresses: list[str]) -> None:
        """Make the table from the first address that has an index. An old table is better than none."""
        import httpx

        reason = ""
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as client:
            for address in addresses:
                try:
                    async with client.stream("GET", address) as answer:
                        if answer.status_code != httpx.codes.OK:
                            reason = f"{address} answers {answer.status_code}"
                            continue
                        await self._keep(table, answer.aiter_raw())
                        return
                except (httpx.HTTPError, httpx.InvalidURL, OSError, zlib.error, ValueError) as fault:
                    reason = f"{address}: {fault or type(fault).__name__}"
        if not await asyncio.to_thread(table.exists):
            raise NoContents(f"which packages have which libraries is not known: {reason}")

    async def _keep(self, table: Path, chunks: AsyncIterator[bytes]) -> None:
        """Write the table beside its place and put it there whole, whoever else is making it."""
        with _making(table) as file:
            async for block in _lines(chunks):
                file.writelines(f"{row.name}\t{row.folder}\t{','.join(row.packages)}\n" for row in rows(block))


@contextmanager
def _making(table: Path) -> Iterator[IO[str]]:
    """A file that takes its place when all went well, and else is gone."""
    table.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=table.parent, prefix=".making-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        Path(name).replace(table)
    finally:
        Path(name).unlink(missing_ok=True)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines of a gzip stream, many at a time. Raises ValueError when it is cut or larger than any index."""
    unpack = zlib.decompressobj(wbits=31)
    rest, taken, given = b"", 0, 0
    async for chunk in chunks:
        taken += len(chunk)
        data = unpack.decompress(chunk)
        given += len(data)
        if taken > MAX_DOWNLOAD or given > MAX_UNPACKED:
            raise ValueError("it is larger than any contents index")
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if whole:
            yield whole + newline
    if not unpack.eof:
        raise ValueError("it ends too early")
    if rest:
        yield rest


def _picked(table: Path, names: frozenset[str]) -> tuple[Row, ...]:
    found = []
    with table.open(encoding="utf-8") as file:
        for line in file:
            name, folder, owners = line.rstrip("\n").split("\t")
            if name in names or any(matches(one, name) for one in names if ".so" not in one):
                found.append(Row(name, folder, tuple(owners.split(","))))
    return tuple(found)
