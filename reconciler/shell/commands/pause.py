"""`fleet pause`: the operator writes nothing of a resource, a tenant or everything, until it is resumed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.core.orders import PAUSED
from reconciler.shell.aside import aside
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.orders import addressee, give, until_of
from reconciler.shell.workspace import open_workspace


@click.command(name="pause")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Everything in the environment.")
@click.option("--until", metavar="WHEN", help="When it goes on by itself: 2h, 2026-12-01, 2026-12-01T06:00:00+01:00.")
@environment_option
@repository_option
def command(name: str | None, everything: bool, until: str | None, env: str | None, repo: Path | None) -> None:
    """Keep the operator from writing: NAME (a service or task, `web` or `platform/web`, or a tenant), or everything.

    It works while git is down: the order is an annotation in the cluster. What runs goes on running, and `fleet apply` by hand is not held.

    \b
    Examples: fleet pause service-registry --until 2h
              fleet pause --all --env production
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    to = addressee(graph, name, everything=everything)
    when = until_of(until, datetime.now(UTC))
    told = give(workspace, graph, to, {PAUSED: when})
    who = told.holder or "no operator has ever led here; the first one will find it"
    click.echo(f"{to.name} is paused" + (f" until {when}" if until else "") + f" ({who}).")
    aside(f"Go on with: fleet resume {'--all' if everything else name}" + (f" --env {env}" if env else ""))
