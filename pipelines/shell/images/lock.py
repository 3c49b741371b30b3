"""`fleet images lock`: take builds out of the cache into the lock."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.shell import equipment
from pipelines.shell.building import Asked, build
from pipelines.shell.matter import matter, refuse_wrong
from pipelines.shell.shown import shown
from pipelines.shell.told import exit_of
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.session import run


@click.command(name="lock")
@click.argument("names", nargs=-1)
@click.option("--jobs", type=click.IntRange(1, 64), help="How many images at once.")
@output_option("text", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], jobs: int | None, output: str, env: str | None, repo: Path | None) -> None:
    """Find the builds of the files as they are by their keys, judge them again, and write them into the lock. Builds nothing.

    This is for after jobs that built beside one another with `--no-lock`, and for main when two merges met there: what the cache has is
    entered, and what it does not have is named (exit code 3). Of an image for several platforms the index is put together here, if need be.
    Tags are `fleet images publish`'s.

    \b
    Example: fleet images lock --env production
    """
    found = matter(repo, env)
    chosen = found.named(names)
    refuse_wrong(found, chosen)
    asked = Asked(
        names=chosen,
        engine="buildah",
        jobs=jobs or equipment.cores(),
        secrets=(),
        force=False,
        verbose=False,
        lines=output == "json",
        builds=False,
        labels=False,
    )
    done = run(lambda stop: build(found, asked, stop))
    shown(found, done, output)
    raise SystemExit(exit_of(done.outcomes))
