"""`fleet images retag`: put one more tag on a build that the lock names."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipelines.flow.retag import retag
from pipelines.flow.standing import missing_tags
from pipelines.model.reference import TAG
from pipelines.ports import RegistryFault
from pipelines.shell import equipment
from pipelines.shell.stock import Stock, stock
from reconciler.flow.fan import Stop
from reconciler.model.lock import Build
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped

_OURS = re.compile(r"k-[0-9a-f]{16,}|sha(256|512)-.*|(.+-)?prev")
"""Tags that mean something: keys, referrers and signatures, what comes back."""


@click.command(name="retag")
@click.argument("name")
@click.argument("tag")
@click.argument("new")
@click.option("--move", is_flag=True, help="Even where NEW stands for something else already.")
@environment_option
@repository_option
def command(name: str, tag: str, new: str, move: bool, env: str | None, repo: Path | None) -> None:
    """Put the tag NEW on the build of NAME that the lock calls TAG (a tag, `current`, `prev`, or a digest). No blob moves.

    The lock stays as it is: tags are labels for people and other tools, services run digests. Only what the lock names can be tagged, so no
    build that failed its gate gets a tag.

    \b
    Example: fleet images retag family-web current stable
    """
    found = stock(repo, env)
    build = found.build(name, tag)
    _refuse(found, name, build, new)
    said = run(lambda stop: _retagged(found, name, build, new, stop, move=move))
    click.echo(f"{name}:{new} {said} {build.tag} ({build.digest[:19]}).")


def _refuse(found: Stock, name: str, build: Build, new: str) -> None:
    if not TAG.fullmatch(new):
        raise Refusal(f"{new[:140]!r} is no tag", "letters, digits, and . _ - after the first, 128 at most", Exit.USAGE)
    if _OURS.fullmatch(new):
        raise Refusal(f"{new} is a tag that fleet itself puts", "choose another one", Exit.USAGE)
    other = found.lock.images[name].tagged(new)
    if other is not None and other.digest != build.digest:
        raise Refusal(f"{new} is what {found.where.lock} calls {other.digest[:19]}", "choose another one", Exit.FINDINGS)


async def _retagged(found: Stock, name: str, build: Build, new: str, stop: Stop, *, move: bool) -> str:
    registry, repository = equipment.registry(), found.repository(name)
    try:
        standing = await unless_stopped(stop, registry.head(repository, new))
        if standing is not None and standing.digest != build.digest and not move:
            raise Refusal(f"{name}:{new} stands for {standing.digest[:19]} already", "--move puts it on the other build", Exit.FINDINGS)
        wanted = await unless_stopped(stop, missing_tags(registry, repository, {new: build.digest}))
        await unless_stopped(stop, retag(registry, repository, wanted))
    except RegistryFault as fault:
        raise Refusal(f"{name} was not tagged: {fault}", fault.fix, Exit.PARTLY) from None
    finally:
        await equipment.closed(registry)
    return "stands for" if wanted else "stood for"
