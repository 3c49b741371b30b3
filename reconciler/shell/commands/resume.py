"""`fleet resume`: the operator goes on with what was paused."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.orders import PAUSED
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.orders import addressee, give
from reconciler.shell.workspace import open_workspace


@click.command(name="resume")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="What `fleet pause --all` paused. Pauses of single things stay.")
@environment_option
@repository_option
def command(name: str | None, everything: bool, env: str | None, repo: Path | None) -> None:
    """Lift a pause: the operator brings NAME, or everything, up to the newest commit at once.

    \b
    Examples: fleet resume service-registry
              fleet resume --all
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    to = addressee(graph, name, everything=everything)
    give(workspace, graph, to, {PAUSED: None})
    click.echo(f"{to.name} goes on.")
