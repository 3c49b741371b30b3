"""Scanner: the port Scanner by Trivy, which gets no credentials, network, settings of its surroundings, or say in what passes."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePath

from pipelines.adapters.trivy import answer, database, process, program
from pipelines.adapters.trivy.learned import Learned
from pipelines.adapters.trivy.process import Done, Limits
from pipelines.ports import ScanReport

_OFFLINE = (
    "--skip-db-update",
    "--skip-java-db-update",
    "--offline-scan",
    "--skip-version-check",
    "--disable-telemetry",
    "--skip-vex-repo-update",
)
_ALL = ("--scanners", "vuln", "--list-all-pkgs", "--pkg-types", "os,library", "--severity", "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL")
_RESERVED = 3 << 29
"""Address space that Go's runtime reserves and does not use: 0.76.0 does not start with less than 1.1 GiB."""
_GARBAGE = "400"
"""Percent of growth between two collections of Go's (100 if nobody says): a quarter of what most scans cost is collecting while it starts."""

_SBOM = "image.cdx.json"
_LATER = 60
"""Seconds after which it would end by itself; we end it before."""

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Settings:
    """Which Trivy, which database, and how much it may take."""

    path: Path
    """The program."""
    cache: Path
    """Trivy's cache folder: the database is `db/` in it."""
    now: Now
    sha256: str = program.SHA256
    """Another version is another hash, and whoever writes that down has looked at it."""
    learned: Path | None = None
    """Folder for what it learned of layers; without one it reads all layers of every image."""
    max_age: timedelta = timedelta(hours=24)
    """Of the database, since it was made."""
    seconds: float = 1800.0
    memory: int = 4 << 30
    """Bytes; besides the database, which is mapped."""
    output: int = 256 << 20
    """Bytes that it may print."""
    repository: str = ""
    """OCI repository of the database; Trivy's own when empty."""
    java_repository: str = ""
    network: Mapping[str, str] = field(default_factory=dict)
    """Environment of updates only: proxies and certificates."""


class Trivy:
    """The port Scanner. Whatever keeps it from an answer is NoVerdict, with a sentence and what to do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def inventory(self, layout: PurePath) -> bytes:
        """CycloneDX JSON of what is in an image."""
        await self._check_program()
        arguments = ("image", *_OFFLINE, "--format", "cyclonedx", *_layout(layout))
        if self._settings.learned is None:
            return answer.inventory(await self._run(arguments))
        return await self._remembered(arguments, layout, Learned(self._settings.learned, self._settings.sha256))

    async def scan(self, layout: PurePath) -> ScanReport:
        """Every vulnerability of an image."""
        return await self._judge(("image", *_OFFLINE, *_ALL, *_layout(layout)), {})

    async def rescan(self, sbom: bytes) -> ScanReport:
        """Every vulnerability of what an SBOM lists."""
        return await self._judge(("sbom", *_OFFLINE, *_ALL, _SBOM), {_SBOM: sbom})

    def check(self) -> None:
        """Read the program, to see that it is the pinned one. Raises NoVerdict."""
        program.check(self._settings.path, self._settings.sha256)

    def database(self) -> str:
        """When the database was made, RFC 3339. Raises NoVerdict where it is missing, damaged or too old."""
        return database.made_at(self._settings.cache, self._settings.now(), self._settings.max_age)

    async def update(self, *, java: bool = False) -> str:
        """Fetch the database anew and return when it was made. The old one stays until the new one is whole. Raises NoVerdict."""
        await self._check_program()
        self._settings.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".update-", dir=self._settings.cache) as scratch:
            fresh = Path(scratch)
            if java:
                await self._download(fresh, "java-db", "--download-java-db-only", "--java-db-repository", self._settings.java_repository)
            await self._download(fresh, "db", "--download-db-only", "--db-repository", self._settings.repository)
            made = database.made(fresh)
            for name in ("java-db", "db") if java else ("db",):
                with contextlib.suppress(FileNotFoundError):
                    (self._settings.cache / name).rename(fresh / f"old-{name}")
                (fresh / name).rename(self._settings.cache / name)
        return database.rfc3339(made)

    async def _judge(self, arguments: Sequence[str], files: Mapping[str, bytes]) -> ScanReport:
        await self._check_program()
        made = self.database()
        done = await self._run((*arguments, "--format", "json", "--exit-code", str(answer.FINDINGS)), files)
        return ScanReport(done.out, answer.scanner(done), made)

    async def _remembered(self, arguments: Sequence[str], layout: PurePath, learned: Learned) -> bytes:
        """Only layers that it has not seen are read; all of them again, where what is remembered turns out to be of no use."""
        for may_know in (True, False):
            with tempfile.TemporaryDirectory(prefix="fleet-trivy-") as scratch:
                knows = may_know and await asyncio.to_thread(learned.given, layout, Path(scratch))
                done = await self._execute((*arguments, "--cache-backend", "fs"), Path(scratch), {}, {})
                if knows and done.status:
                    await asyncio.to_thread(learned.forget, layout)
                    continue
                sbom = answer.inventory(done)
                await asyncio.to_thread(learned.keep, layout, Path(scratch))
                return sbom
        raise AssertionError(layout)

    async def _check_program(self) -> None:
        await asyncio.to_thread(program.check, self._settings.path, self._settings.sha256)

    async def _download(self, into: Path, name: str, only: str, option: str, repository: str) -> None:
        source = (option, repository) if repository else ()
        arguments = ("image", only, "--skip-version-check", "--disable-telemetry", *source)
        done = await self._execute(arguments, into, {}, self._settings.network)
        if done.status or not (into / name / "metadata.json").exists():
            raise answer.failed(done, "fetch its database")

    async def _run(self, arguments: Sequence[str], files: Mapping[str, bytes] | None = None) -> Done:
        """Without network. What it remembers of layers stays in memory: on disk, two at once would wait for each other."""
        return await self._execute((*arguments, "--cache-backend", "memory"), self._settings.cache, files or {}, {})

    async def _execute(self, arguments: Sequence[str], cache: Path, files: Mapping[str, bytes], network: Mapping[str, str]) -> Done:
        """In an empty folder that is also its home: it would read settings and exceptions (`trivy.yaml`, `.trivyignore`) from either."""
        settings = self._settings
        with tempfile.TemporaryDirectory(prefix="fleet-trivy-") as scratch:
            for name, data in files.items():
                (Path(scratch) / name).write_bytes(data)
            always = ("--quiet", "--cache-dir", _absolute(cache), "--timeout", f"{settings.seconds + _LATER:.0f}s")
            environment = {**network, "HOME": scratch, "TMPDIR": scratch, "GOMEMLIMIT": str(settings.memory), "GOGC": _GARBAGE}
            limits = Limits(settings.seconds, settings.memory + _RESERVED + database.size(cache), settings.output)
            return await process.run((str(settings.path), *arguments, *always), scratch, environment, limits)


def _layout(folder: PurePath) -> tuple[str, str]:
    return "--input", _absolute(folder)


def _absolute(path: PurePath) -> str:
    """It runs in another folder."""
    return str(Path(path).absolute())
