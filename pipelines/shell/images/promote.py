"""`fleet images promote`: bring builds from one environment to another, as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from pipelines.core.publication import is_by_hand, tags
from pipelines.core.uses import held
from pipelines.core.verification import sentence
from pipelines.flow.carry import carry
from pipelines.flow.each import each
from pipelines.flow.retag import retag
from pipelines.flow.standing import missing_tags
from pipelines.flow.verify import verify
from pipelines.model.oci import Pinned
from pipelines.model.trust import Subject, Verified
from pipelines.ports import Registry, RegistryFault
from pipelines.shell import equipment
from pipelines.shell.signing import trusted_keys
from pipelines.shell.stock import Stock, of_environment
from reconciler.core.locking import adopt
from reconciler.flow.fan import Stop
from reconciler.model.lock import Build, Lock
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.workspace import open_workspace

AT_ONCE = 3


@click.command(name="promote")
@click.argument("names", nargs=-1)
@click.option("--from", "source", required=True, metavar="ENV", help="The environment whose current builds are taken.")
@click.option("--to", "target", required=True, metavar="ENV", help="The environment whose lock gets them.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@repository_option
def command(names: tuple[str, ...], source: str, target: str, dry_run: bool, repo: Path | None) -> None:
    """Make the current builds of one environment those of another: copy each by its digest with its SBOM, statements and signatures to the
    other registry, verify it there, then write the other lock. Nothing is built, and nothing is judged again.

    Where the other environment trusts keys, what does not verify by them is not promoted. Exit code 3 when something was not promoted.

    \b
    Example: fleet images promote --from staging --to production family-web
    """
    workspace = open_workspace(repo)
    one, two = (of_environment(workspace, workspace.environment(name)) for name in (source, target))
    if (one.where.lock, one.where.registry) == (two.where.lock, two.where.registry):
        raise Refusal(f"{source} and {target} have the same lock and the same registry", "there is nothing to promote", Exit.USAGE)
    wanted = _wanted(one, two, names)
    for name, build in wanted.items():
        before = two.lock.builds(name)
        aside(f"{name}  {before.current.tag if before else 'nothing'} -> {build.tag} ({build.digest[:19]})")
    if dry_run or not wanted:
        click.echo(f"{len(wanted)} images would be promoted." if wanted else f"{target} has all of {source}'s builds.")
        return
    done = run(lambda stop: _carried(one, two, wanted, stop))
    graph = workspace.graph(two.where)

    def changed(lock: Lock) -> Lock:
        for name, build in done.items():
            lock = adopt(lock, name, build, held(graph, name))
        return lock

    two.change(changed)
    click.echo(f"{len(done)} of {len(wanted)} images are promoted; {two.where.lock} names them." if done else "Nothing was promoted.")
    raise SystemExit(Exit.OK if len(done) == len(wanted) else Exit.PARTLY)


def _wanted(one: Stock, two: Stock, names: tuple[str, ...]) -> dict[str, Build]:
    """What is current here and not there. Builds that nobody judged are left out, and told."""
    found: dict[str, Build] = {}
    for name in one.named(names):
        build, there = one.lock.images[name].current, two.lock.builds(name)
        if is_by_hand(build):
            aside(f"{name}: {build.tag} was entered by hand and not judged: left out")
        elif build.bad:
            aside(f"{name}: {build.tag} is marked bad: left out")
        elif there is not None and (other := there.tagged(build.tag)) is not None and other.digest != build.digest:
            message = f"{two.where.lock} has another build of {name} that it calls {build.tag}: {other.digest[:19]}"
            raise Refusal(message, "correct that lock's tag first", Exit.FINDINGS)
        elif there is None or there.current.digest != build.digest:
            found[name] = build
    return found


async def _carried(one: Stock, two: Stock, wanted: Mapping[str, Build], stop: Stop) -> dict[str, Build]:
    """What stands in the other registry now, verified."""
    registry = equipment.registry()

    async def carried(name: str) -> bool:
        try:
            await carry(registry, Pinned(one.repository(name), wanted[name].digest), two.repository(name))
            if not await _verifies(registry, two, name, wanted[name]):
                return False
            await _tagged(registry, two, name, wanted[name])
        except RegistryFault as fault:
            aside(f"error: {name} was not promoted: {fault}" + (f"\nhelp: {fault.fix}" if fault.fix else ""))
            return False
        return True

    try:
        done = await unless_stopped(stop, each(wanted, carried, AT_ONCE))
    finally:
        await equipment.closed(registry)
    return {name: build for (name, build), good in zip(wanted.items(), done, strict=True) if good}


async def _verifies(registry: Registry, two: Stock, name: str, build: Build) -> bool:
    keys = trusted_keys(two.where)
    if not keys:
        aside(f"{name}: {two.where.name} trusts no key, so only digests were checked")
        return True
    subject = Subject(name, Pinned(two.repository(name), build.digest), build.verdict, build.sbom)
    result = (await verify(registry, [subject], keys, two.workspace.today))[subject]
    if isinstance(result, Verified):
        return True
    says, fix = sentence(result)
    aside(f"error: {name} was not promoted: {build.tag} {says}\nhelp: {fix}")
    return False


async def _tagged(registry: Registry, two: Stock, name: str, build: Build) -> None:
    """Tags come once it verifies."""
    after, repository = adopt(two.lock, name, build).images[name], two.repository(name)
    known = {build.digest}
    if after.previous is not None and await registry.head(repository, after.previous.digest) is not None:
        known.add(after.previous.digest)
    due = {tag: digest for tag, digest in tags(after).items() if digest in known}
    await retag(registry, repository, await missing_tags(registry, repository, due))
