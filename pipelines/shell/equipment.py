"""Equipment: the adapters that a command needs, put together from settings. Each is imported when it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.ports import Bases, Builder, NoVerdict, Registry, Scanner, Storeroom
from reconciler.ports import Components
from reconciler.shell import variables
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal

if TYPE_CHECKING:
    from pipelines.adapters.layouts import Store
    from pipelines.adapters.registry import Logins
    from pipelines.adapters.trivy import Trivy

GITHUB_REGISTRY = "ghcr.io"
DAY = timedelta(days=1)
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What an update of the database has of the surroundings; Go's own names."""


def blobs() -> Path:
    """Where builds keep what they need again."""
    named = os.environ.get(variables.BLOBS)
    return Path(named).absolute() if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleetwright" / "builds"


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def logins() -> Logins:
    """Who we are at registries: as GITHUB_TOKEN and the usual files say."""
    from pipelines.adapters.registry import AuthFiles, KnownLogins, Login, auth_files

    token = os.environ.get("GITHUB_TOKEN")
    known = {GITHUB_REGISTRY: Login("x-access-token", token)} if token else {}
    return KnownLogins(known, AuthFiles(auth_files(os.environ), os.environ))


def registry() -> Registry:
    """Registries, through the proxy and with the certificates that the environment names."""
    from pipelines.adapters.registry import OciRegistry, Settings

    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    return OciRegistry(Settings(logins(), authorities=os.environ.get("SSL_CERT_FILE"), proxy=proxy))


async def builder(engine: str, root: Path, registries: Iterable[str], *, builds: bool) -> Builder:
    """What builds, logged in at these registries (`ghcr.io/acme`), if anything may be built. Says here what it lacks, not in the middle of a build."""
    if engine == "dagger":
        return await _dagger(registries)
    from pipelines.adapters.buildah import Buildah, Settings

    named = os.environ.get("REGISTRY_AUTH_FILE")
    buildah = Buildah(Settings(root / "buildah", os.environ, authfile=Path(named) if named else None))
    if builds:
        await buildah.begin()
    return buildah


async def _dagger(registries: Iterable[str]) -> Builder:
    try:
        from pipelines.adapters.engine import Credential, DaggerBuilder, inert_cache
    except ImportError as missing:
        raise Refusal(f"builds with Dagger need {missing.name}, which is not here", "pip install 'fleetwright[build]'") from None
    if warning := inert_cache(os.environ):
        aside(f"warning: {warning}")
    credentials = {}
    for host, _, path in (name.partition("/") for name in registries):
        if login := await logins().find(host, path):
            credentials[host] = Credential(login.name, login.password)
    return DaggerBuilder(os.environ, credentials)


def scanner(root: Path) -> Scanner:
    """The scanner, by its pinned program. Refuses where there is none; says how old its database is, where that is more than a day."""
    made = trivy(root)
    _mention_age(root)
    return made


def trivy(root: Path, repository: str = "") -> Trivy:
    """The scanner as it is, which can also fetch its database from `repository`, or from Trivy's own. Refuses where there is none."""
    from pipelines.adapters.trivy import Settings, Trivy, find, folders

    named = os.environ.get(variables.TRIVY)
    try:
        program = find(Path(named) if named else None, folders(Path(sys.executable), os.environ.get("PATH", ""), root / "trivy"))
    except NoVerdict as gone:
        raise Refusal(str(gone), gone.fix, Exit.USAGE) from None
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    return Trivy(
        Settings(
            program,
            database_folder(root),
            now,
            learned=root / "learned",
            max_age=oldest(os.environ),
            repository=repository,
            network=network,
        ),
    )


def oldest(environ: Mapping[str, str]) -> timedelta:
    """So old the database may be: where nobody looks (CI) a day, at somebody's desk a week."""
    return DAY if environ.get("CI", "").lower() not in ("", "0", "false") else 7 * DAY


def _mention_age(root: Path) -> None:
    from pipelines.adapters.trivy import database

    try:
        age = now() - database.made(database_folder(root))
    except NoVerdict:  # said by whoever needs a verdict
        return
    if DAY < age <= oldest(os.environ):
        aside(f"the database of vulnerabilities is {age / DAY:.1f} days old; `fleet images database update` fetches today's")


def database_folder(root: Path) -> Path:
    """Trivy's cache folder."""
    named = os.environ.get(variables.TRIVY_DATABASE)
    return Path(named).absolute() if named else root / "trivy"


def debian_mirror() -> str:
    """Where Debian's packages come from, if somebody says."""
    return os.environ.get(variables.DEBIAN_MIRROR, "").rstrip("/")


def bases(root: Path) -> Bases:
    """Root file systems out of Debian packages."""
    from pipelines.adapters.debian import Bases, Settings

    settings, mirror = Settings(root / "debian", dict(os.environ)), debian_mirror()
    return Bases(replace(settings, mirror=mirror, security=f"{mirror}-security") if mirror else settings)


def vouches() -> tuple[str, str]:
    """Who builds, as a URI, and which run this is: of a workflow what GitHub says, else this machine and process."""
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if repository and run:
        return f"{server}/{os.environ.get('GITHUB_WORKFLOW_REF', repository)}", f"{server}/{repository}/actions/runs/{run}"
    machine = os.uname().nodename
    return f"urn:machine:{machine}", f"urn:machine:{machine}:{os.getpid()}:{now():%Y%m%dT%H%M%SZ}"


def components(root: Path) -> Components:
    """What the ledger of a workspace knows of images."""
    from reconciler.adapters.ledger import components_at
    from reconciler.shell.ledgers import url_of

    return components_at(url_of(root), lambda text: aside(f"warning: {text}"))


def prepare(root: Path, workspace: Path | None) -> None:
    """What the end of a build waits for otherwise, while its first program runs: imports, the scanner's hash, the ledger of a workspace.

    Whatever is wrong with any of it is said by whoever uses it.
    """
    with suppress(NoVerdict, Refusal):
        trivy(root).check()
    from pipelines.adapters.cyclonedx import CycloneDx
    from pipelines.core.sbom.canonical import SPEC

    CycloneDx().check(f'{{"bomFormat":"CycloneDX","specVersion":"{SPEC}","version":1}}'.encode())
    if workspace:
        components(workspace).forget(())


def scanners() -> int:
    """How many SBOMs are judged at once, unless somebody says: one scanner is not busy all the time."""
    return max(2, min(8, (os.cpu_count() or 2) + 1))


def cores() -> int:
    """How many images are built at once, unless somebody says: one more than processors, since a build waits for disk and network, too."""
    return min(4, (os.cpu_count() or 2) + 1)


def github_packages() -> Storeroom:
    """What ghcr.io holds, as whoever GITHUB_TOKEN says we are."""
    from pipelines.adapters.github_packages import API, GithubPackages

    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise Refusal("ghcr.io is cleaned through GitHub's packages API, and there is no GITHUB_TOKEN", "set it", Exit.USAGE)
    return GithubPackages(token, os.environ.get("GITHUB_API_URL") or API)


async def closed(*things: Registry | Builder | Storeroom | Store) -> None:
    """Close what has to be closed; what does not want to is given up after a while."""
    import asyncio  # most of what is told of images asks nobody

    for thing in things:
        try:
            async with asyncio.timeout(10):
                await thing.close()
        except TimeoutError:
            continue
