"""Assembles a base out of resolved packages by mmdebstrap, as files and settings: the same packages give the same layer."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePath

from pipelines.adapters.debian.archive import Archive
from pipelines.adapters.debian.settings import Settings
from pipelines.adapters.processes import enclosed, ran
from pipelines.model.debian import Resolved, Selection, sources
from pipelines.ports import BuilderMissing, BuildFailed, Log, Made

RUN = {"Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
STATUS = re.compile(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", re.MULTILINE)


class Bases:
    """Debian bases: `resolve` says what one is, `build` makes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._archive = Archive(settings)

    async def resolve(self, selection: Selection) -> Resolved:
        """Every package of the base by name, version and hash, some seconds; raises BuilderMissing, BuildFailed."""
        return await self._archive.resolve(selection)

    async def build(self, resolved: Resolved, into: PurePath, source_date: int, log: Log) -> Made:
        """Make the base of exactly these packages; `into` gets `changes.tar`, over nothing. Raises BuilderMissing, BuildFailed."""
        if not shutil.which("mmdebstrap", path=self._settings.variables()["PATH"]):
            raise BuilderMissing("there is no mmdebstrap on this machine", "apt-get install mmdebstrap")
        self._require_room()
        target = Path(into) / "changes.tar"
        with tempfile.TemporaryDirectory(dir=self._settings.root / "tmp", prefix="base-") as scratch:
            work = Path(scratch)
            await self._archive.download(resolved, work / "repository")
            (work / "sources.list").write_text(sources(resolved.selection.suite))
            done = await ran(enclosed(self._command(resolved, work)), self._settings.variables(source_date), log, work)
            if done.status:
                raise failed(done.log, self._settings)
            if resolved.selection.variant != "extract":
                await asyncio.to_thread(check, work / "root.tar", resolved)
            await asyncio.to_thread(moved, work / "root.tar", target)
        return Made(target, RUN)

    def _require_room(self) -> None:
        (self._settings.root / "tmp").mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._settings.root).free
        if free < self._settings.room:
            need = self._settings.room >> 20
            raise BuildFailed(f"{free >> 20} MiB are free, a base needs {need} MiB", f"make room on the disk of {self._settings.root}")

    def _command(self, resolved: Resolved, work: Path) -> list[str]:
        """Our packages are the whole archive, already checked; the finished system gets Debian's own sources."""
        selection = resolved.selection
        listed = shlex.quote(str(work / "sources.list"))
        if selection.variant == "extract":
            hook = '--extract-hook=rm -f "$1/etc/apt/sources.list" "$1/etc/apt/apt.conf.d/99mmdebstrap"'
        else:
            hook = f'--customize-hook=install -D -m 644 {listed} "$1/etc/apt/sources.list"; rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"'
        return [
            "mmdebstrap",
            f"--variant={selection.variant}",
            f"--mode={self._settings.mode}",
            "--format=tar",
            f"--architectures={selection.architecture}",
            f"--include={','.join(selection.packages)}",
            '--aptopt=APT::Sandbox::User "root"',
            "--aptopt=Apt::Install-Recommends false",
            hook,
            selection.suite,
            str(work / "root.tar"),
            f"deb [trusted=yes] copy:{work / 'repository'} ./",
        ]


def check(root: Path, resolved: Resolved) -> None:
    """Raise BuildFailed unless the system has exactly the packages that were resolved."""
    with tarfile.open(root) as tar:
        member = tar.extractfile("./var/lib/dpkg/status")
        status = member.read().decode() if member else ""
    installed = {(name, version) for name, version in STATUS.findall(status)}
    wanted = {(package.name, package.version) for package in resolved.packages}
    if installed != wanted:
        odd = sorted(name for name, _ in installed ^ wanted)
        raise BuildFailed(f"mmdebstrap and apt disagree about what belongs to {resolved.selection.suite}: {', '.join(odd[:10])}")


def moved(tar: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(tar, into)


def failed(log: str, settings: Settings) -> BuildFailed:
    errors = [line.removeprefix("E: ") for line in log.splitlines() if line.startswith("E: ")]
    fix = "see the end of its log"
    if "no space left on device" in log.lower():
        errors, fix = ["no space left on device"], f"make room on the disk of {settings.root}"
    return BuildFailed(f"mmdebstrap: {errors[-1] if errors else 'it failed'}", fix, log=log)
