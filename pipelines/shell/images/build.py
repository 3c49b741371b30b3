"""`fleet images build`: build what changed, judge it, write the lock."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.ports import Secret
from pipelines.shell import equipment
from pipelines.shell.recall import Recall
from pipelines.shell.shown import at_rest, shown
from reconciler.shell.exits import Exit
from reconciler.shell.opened import open_source
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal

if TYPE_CHECKING:
    from pipelines.shell.matter import Matter


@click.command(name="build")
@click.argument("names", nargs=-1)
@click.option("--builder", type=click.Choice(["dagger", "buildah"]), help="What builds; by default what the environment says.")
@click.option("--jobs", type=click.IntRange(1, 64), help="How many images at once.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="ID=FILE",
    help="A file that steps find under /run/secrets/ID, in no layer and no log: `pip` (a pip.conf for a private index), `ca`; repeatable.",
)
@click.option("--force", is_flag=True, help="Build what lock and cache have, too.")
@click.option("--verbose", "-v", is_flag=True, help="Print what builders print; it is in .fleet/logs/images anyway.")
@click.option("--platform", metavar="P", default="", help="Build for this platform only (`linux/arm64`); the cache has to have the others.")
@click.option(
    "--machine", "machines", multiple=True, metavar="M", help="Check that this machine's driver suits the CUDA inside; repeatable."
)
@click.option("--push/--no-push", "pushes", default=True, help="Without: build and judge, and write to no registry and no lock.")
@click.option("--no-lock", is_flag=True, help="Leave lock and tags as they are: `fleet images lock` takes the builds from the cache.")
@click.option("--reports", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write SBOM, verdict, SARIF, log of each.")
@output_option("text", "json")
@environment_option
@repository_option
def command(
    names: tuple[str, ...],
    builder: str | None,
    jobs: int | None,
    secrets: tuple[str, ...],
    force: bool,
    verbose: bool,
    platform: str,
    machines: tuple[str, ...],
    pushes: bool,
    no_lock: bool,
    reports: Path | None,
    output: str,
    env: str | None,
    repo: Path | None,
) -> None:
    """Build images whose files, arguments or parents are not those of the lock's build; judge each; write the lock.

    With NAMES only these and what they start from. What is in the cache under its key is taken from there and judged again. An image that
    fails takes only those with it that start from it. Exit code 1 when a gate said no, 3 when something failed.

    With --platform, an image for several is whole once the last of them is built: an index joins them. --no-push is for whoever may not
    write, such as a fork's pull request: parents come from folders of this machine, and it builds with buildah unless --builder says otherwise.

    \b
    Examples: fleet images build family-web --env trial
              fleet images build family-web --platform linux/amd64 --no-lock --reports reports
    """
    given = tuple(_secret(text) for text in secrets)
    opened = open_source(repo)
    recall = Recall(opened, "build", env, names)
    may_rest = pushes and not (force or platform or machines or reports)
    known = recall.found() if may_rest else None
    if known and at_rest(known, output):
        raise SystemExit(Exit.OK)
    from pipelines.shell.building import Asked, build
    from pipelines.shell.matter import of_source, refuse_wrong
    from pipelines.shell.suits import refuse_unsuited
    from pipelines.shell.told import exit_of
    from reconciler.shell.session import run

    found = of_source(opened, env)
    chosen = found.named(names)
    refuse_wrong(found, chosen)
    _refuse_platform(found, names or tuple(sorted(chosen)), platform)
    refuse_unsuited(found, names or tuple(sorted(chosen)), machines)
    if may_rest and not known:
        decided = [one for one in found.decided(told=False) if one.target.name in chosen]
        if (now := recall.keep(found, decided)) and at_rest(now, output):
            raise SystemExit(Exit.OK)
    asked = Asked(
        names=chosen,
        engine=builder or (found.where.builder.engine if pushes else "buildah"),
        jobs=jobs or equipment.cores(),
        secrets=given,
        force=force,
        verbose=verbose,
        lines=output == "json",
        platform=platform,
        pushes=pushes,
        labels=not no_lock,
        locks=pushes and not no_lock,
        reports=reports,
        reported=names,
    )
    done = run(lambda stop: build(found, asked, stop))
    shown(found, done, output)
    raise SystemExit(exit_of(done.outcomes))


def _refuse_platform(found: Matter, names: tuple[str, ...], platform: str) -> None:
    if not platform:
        return
    for target in found.targets:
        if target.name in names and platform not in target.platforms:
            raise Refusal(f"{target.name} is not for {platform}", f"it is for {', '.join(target.platforms)}", Exit.USAGE)


def _secret(text: str) -> Secret:
    id, equals, file = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id):
        raise Refusal(f"{text!r} is no ID=FILE", "write it like --secret pip=$HOME/.config/pip/pip.conf", Exit.USAGE)
    if not Path(file).is_file():
        raise Refusal(f"the secret {id} cannot be read: there is no file {file}", "name another file", Exit.USAGE)
    return Secret(id, Path(file).absolute())
