"""`fleet hold`: pin a service to what it runs, as a commit."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.holds import hold
from reconciler.shell.commits import commit_edit, scene_of
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.pins import pin_of, pin_options
from reconciler.shell.workspace import open_workspace


@click.command(name="hold")
@click.argument("name")
@click.option("--to", "tag", metavar="TAG", default="", help="The tag; by default the lock's current build.")
@pin_options
@environment_option
@repository_option
def command(
    name: str,
    tag: str,
    reason: str | None,
    by: str | None,
    until: str | None,
    environments: tuple[str, ...],
    unsafe: bool,
    replace: bool,
    env: str | None,
    repo: Path | None,
) -> None:
    """Pin a service to what it runs: no new build reaches it until `fleet release`.

    \b
    Example: fleet hold service-registry --reason "release freeze" --until 2026-12-02
    """
    workspace = open_workspace(repo)
    pin = pin_of(workspace, reason, by, until, environments, unsafe=unsafe, replace=replace)
    commit_edit(workspace, hold(scene_of(workspace, env), name, pin, tag), env)
