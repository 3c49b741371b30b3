"""`fleet sbom diff`: what one image has that another has not."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from pipelines.core.sbom.bom import Component, NotABom, components
from pipelines.core.sbom.difference import difference, tell_difference
from pipelines.flow.rescan import Known, sbom_of
from pipelines.model.oci import Pinned
from pipelines.model.reference import parse_repository
from pipelines.ports import RegistryFault
from pipelines.shell import equipment
from reconciler.core.suggest import did_you_mean
from reconciler.model.lock import Build, Lock
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.workspace import open_workspace

SHORTEST = 12
"""Digits of a digest that are enough."""
PREVIOUS = "prev"
_LARGEST = 64 << 20


@click.command(name="diff")
@click.argument("a")
@click.argument("b")
@output_option("text", "json")
@environment_option
@repository_option
def command(a: str, b: str, output: str, env: str | None, repo: Path | None) -> None:
    """Compare the packages of two builds: what B has that A has not, what it lacks, what has another version.

    A and B are each an IMAGE (the lock's current build), IMAGE:TAG or IMAGE:prev, a digest in the lock (12 digits are enough), or a file
    with an SBOM (CycloneDX JSON). Exit code 1 when they differ.

    \b
    Example: fleet sbom diff family-web:prev family-web
    """
    before, after = (_components(one, env, repo) for one in (a, b))
    changes = difference(before, after)
    if output == "json":
        said = [{**one._asdict(), "downgrade": one.is_downgrade} for one in changes]
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(tell_difference(changes)) or "the same packages")
    raise SystemExit(Exit.FINDINGS if changes else Exit.OK)


def _components(text: str, env: str | None, repo: Path | None) -> tuple[Component, ...]:
    try:
        return components(_file(Path(text)) if _is_file(text) else _attached(text, env, repo))
    except NotABom as fault:
        raise Refusal(f"{text} is no SBOM: {fault}", "CycloneDX as JSON is read", Exit.USAGE) from None


def _is_file(text: str) -> bool:
    return ("/" in text or text.endswith(".json")) and Path(text).is_file()


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise Refusal(f"{path} has more than {_LARGEST >> 20} MiB", "name another file", Exit.USAGE)
        return path.read_bytes()
    except OSError as fault:
        raise Refusal(f"{path} cannot be read: {fault.strerror}", "name another file", Exit.USAGE) from None


def _attached(text: str, env: str | None, repo: Path | None) -> bytes:
    """The SBOM beside a build of the lock."""
    workspace = open_workspace(repo)
    where = workspace.environment(env)
    lock, _ = workspace.lock(where)
    name, build = _meant(text, lock)
    known = Known(name, Pinned(parse_repository(f"{where.registry}/{name}"), build.digest), build.sbom, build.verdict)

    async def fetch() -> bytes:
        registry = equipment.registry()
        try:
            return await sbom_of(registry, known)
        finally:
            await equipment.closed(registry)

    try:
        return run(lambda stop: unless_stopped(stop, fetch()))
    except RegistryFault as fault:
        raise Refusal(str(fault), fault.fix, Exit.PARTLY) from None


def _meant(text: str, lock: Lock) -> tuple[str, Build]:
    """The build that somebody means. Refuses what is none, or more than one."""
    digits = text.rpartition("@")[2].removeprefix("sha256:")
    if len(digits) >= SHORTEST and all(one in "0123456789abcdef" for one in digits):
        found = {
            one.digest: (name, one) for name, builds in lock.images.items() for one in builds.builds if one.digest[7:].startswith(digits)
        }
        if len(found) == 1:
            return next(iter(found.values()))
        raise Refusal(f"the lock has {len(found) or 'no'} builds whose digest begins with {digits[:20]}", "name an IMAGE", Exit.USAGE)
    name, colon, tag = text.partition(":")
    builds = lock.builds(name)
    if builds is None:
        raise Refusal(f"the lock has no build of {name}", did_you_mean(name, lock.images), Exit.USAGE)
    build = builds.current if not colon else builds.previous if tag == PREVIOUS else builds.tagged(tag)
    if build is None:
        there = ", ".join(one.tag for one in builds.builds)
        raise Refusal(f"the lock has no build {tag} of {name}", f"it has {there}", Exit.USAGE)
    return name, build
