"""Debian's archive by apt: a private root for each suite, so that the machine's own apt is neither read nor changed."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from pipelines.adapters.debian.settings import Settings
from pipelines.adapters.processes import ran, tied
from pipelines.model.debian import Package, Resolved, Selection, sources
from pipelines.ports import BuilderMissing, BuildFailed

INSTALLED = re.compile(r"Inst (\S+) \((\S+) ")
FIELD = re.compile(r"^(Package|Version|SHA256|Architecture|Size): (\S+)$", re.MULTILINE)
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
SUITE = re.compile(r"[a-z][a-z0-9-]*(/[a-z-]+)?")
ALWAYS = {"minbase": ("?essential", "?priority(required)", "apt"), "essential": ("?essential",), "extract": ()}
"""What each variant has before any package is asked for (mmdebstrap(1), VARIANTS), as apt-patterns(7)."""
REFRESH = "resolve the base again: `fleet images refresh`"


class Archive:
    """Resolves and downloads. Lists are fetched again only when the mirror has newer ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def resolve(self, selection: Selection) -> Resolved:
        """Every package of a base by name, version and hash, from the signed lists of today. Builds nothing."""
        for name in selection.packages:
            if not NAME.fullmatch(name):
                raise BuildFailed(f"{name[:80]!r} is no name of a Debian package")
        async with self._held(selection) as (root, apt):
            await self._update(root, apt)
            stanzas = await self._chosen(apt, selection)
        return Resolved(selection, tuple(sorted(package for package, _ in stanzas)))

    async def download(self, resolved: Resolved, into: Path) -> None:
        """Make `into` a flat repository of exactly these packages; their hashes are checked. Raises BuildFailed for what is gone."""
        debs = self._settings.root / "packages"
        debs.mkdir(parents=True, exist_ok=True)
        missing = [package for package in resolved.packages if not (debs / package.sha256).exists()]
        async with self._held(resolved.selection) as (root, apt):
            stanzas = dict(await self._described(apt, resolved.packages))
            if not set(resolved.packages) <= stanzas.keys():
                await self._update(root, apt)
                stanzas = dict(await self._described(apt, resolved.packages))
            if gone := [package for package in resolved.packages if package not in stanzas]:
                raise BuildFailed(f"the mirror no longer has {gone[0].name} {gone[0].version} ({len(gone)} such packages)", REFRESH)
            await self._fetched(apt, missing, into)
        await asyncio.to_thread(self._laid_out, resolved.selection, stanzas, into)

    async def _fetched(self, apt: list[str], missing: list[Package], into: Path) -> None:
        if not missing:
            return
        scratch = into / "download"
        scratch.mkdir(parents=True)
        names = [f"{package.name}={package.version}" for package in missing]
        await self._run(["apt-get", *apt, "-q", "download", *names], scratch)
        await asyncio.to_thread(self._kept, scratch, {package.sha256 for package in missing})

    def _kept(self, scratch: Path, wanted: set[str]) -> None:
        for deb in scratch.glob("*.deb"):
            with deb.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest not in wanted:
                raise BuildFailed(f"the mirror's {deb.name} is not the one of the lists", REFRESH)
            deb.chmod(0o644)
            deb.rename(self._settings.root / "packages" / digest)
        shutil.rmtree(scratch)

    def _laid_out(self, selection: Selection, stanzas: dict[Package, str], into: Path) -> None:
        """The packages as a repository that apt reads from a folder, called as the suite: mmdebstrap looks for its essential ones by that."""
        into.mkdir(parents=True, exist_ok=True)
        for package in stanzas:
            name = into / f"{package.sha256}.deb"
            try:
                name.hardlink_to(self._settings.root / "packages" / package.sha256)
            except OSError:
                shutil.copyfile(self._settings.root / "packages" / package.sha256, name)
        texts = (re.sub(r"(?m)^Filename: .*$", f"Filename: ./{package.sha256}.deb", text) for package, text in stanzas.items())
        packages = ("\n\n".join(text.strip() for text in texts) + "\n").encode()
        (into / "Packages").write_bytes(packages)
        suite = selection.suite.partition("/")[0]
        hashed = f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages"
        (into / "Release").write_text(f"Suite: {suite}\nCodename: {suite}\nArchitectures: {selection.architecture}\n{hashed}\n")

    @asynccontextmanager
    async def _held(self, selection: Selection) -> AsyncIterator[tuple[Path, list[str]]]:
        """A private root of apt, which nobody else uses meanwhile, and the options for it."""
        if not SUITE.fullmatch(selection.suite):
            raise BuildFailed(f"{selection.suite[:80]!r} is no Debian suite", "name one, such as bookworm")
        for program in ("apt-get", "apt-cache"):
            if not shutil.which(program, path=self._settings.variables()["PATH"]):
                raise BuilderMissing(
                    f"there is no {program}: Debian bases are made on Debian or Ubuntu", "build there, or use `from.registry`"
                )
        if not self._settings.keyring.exists():
            raise BuilderMissing(f"there is no {self._settings.keyring}", "apt-get install debian-archive-keyring")
        where = hashlib.sha256(f"{self._settings.mirror} {self._settings.security}".encode()).hexdigest()[:8]
        root = self._settings.root / "apt" / f"{selection.suite.replace('/', '-')}-{selection.architecture}-{where}"
        for folder in ("state/lists/partial", "cache/archives/partial", "parts"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (self._settings.root / "tmp").mkdir(exist_ok=True)
        with (root / "lock").open("w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            signed = f"[signed-by={self._settings.keyring}] "
            (root / "sources.list").write_text(sources(selection.suite, self._settings.mirror, self._settings.security, signed))
            (root / "status").touch()
            yield root, options(root, selection.architecture)

    async def _update(self, root: Path, apt: list[str]) -> None:
        await self._run(["apt-get", *apt, "-q", "update", "--error-on=any"], root)

    async def _chosen(self, apt: list[str], selection: Selection) -> list[tuple[Package, str]]:
        wanted = [*ALWAYS[selection.variant], *selection.packages]
        if not wanted:
            raise BuildFailed("a base of no packages is none", "name packages")
        steps = await self._run(["apt-get", *apt, "-s", "--no-install-recommends", "install", *wanted], self._settings.root)
        return await self._described(apt, [Package(name, version, "") for name, version in INSTALLED.findall("\n".join(steps))])

    async def _described(self, apt: list[str], packages: Iterable[Package]) -> list[tuple[Package, str]]:
        """The packages with their hashes, and their stanzas, of versions that the lists have."""
        versions = [f"{package.name}={package.version}" for package in packages]
        done = await self._run(["apt-cache", *apt, "show", "--no-all-versions", *versions], self._settings.root, strict=False)
        found: dict[Package, str] = {}
        for text in re.split(r"\n(?=Package: )", "\n".join(done)):
            fields = dict(FIELD.findall(text))
            if "SHA256" in fields:
                names = (fields["Package"], fields["Version"], fields["SHA256"], fields["Architecture"], int(fields["Size"]))
                found[Package(*names)] = text
        return list(found.items())

    async def _run(self, command: list[str], cwd: Path, *, strict: bool = True) -> list[str]:
        lines: list[str] = []
        done = await ran(tied(command), self._settings.variables(), lines.append, cwd)
        if done.status and strict:
            said = [line for line in lines if line.startswith("E: ")] or list(done.last[-3:])
            raise BuildFailed(
                f"apt: {' '.join(line.removeprefix('E: ') for line in said)}", "check suite, packages and mirror", log=done.log
            )
        return lines


def options(root: Path, architecture: str) -> list[str]:
    """Options that keep apt inside of `root`."""
    chosen = {
        "Dir::Etc": root / "none",
        "Dir::Etc::sourcelist": root / "sources.list",
        "Dir::Etc::sourceparts": root / "parts",
        "Dir::Etc::preferencesparts": root / "parts",
        "Dir::State": root / "state",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::Check-Valid-Until": "false",  # a mirror of some day keeps that day's dates; signatures are checked all the same
    }
    return [part for key, value in chosen.items() for part in ("-o", f"{key}={value}")]
