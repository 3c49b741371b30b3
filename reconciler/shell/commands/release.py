"""`fleet release`: lift a hold, as a commit."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.holds import release
from reconciler.shell.commits import author_of, commit_edit, scene_of
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.workspace import open_workspace


@click.command(name="release")
@click.argument("name")
@click.option("--reason", default="", help="Why, for the commit.")
@environment_option
@repository_option
def command(name: str, reason: str, env: str | None, repo: Path | None) -> None:
    """Lift the hold of a service: it runs what the lock says again.

    \b
    Example: fleet release service-registry
    """
    workspace = open_workspace(repo)
    commit_edit(workspace, release(scene_of(workspace, env), name, author_of(workspace), reason), env)
