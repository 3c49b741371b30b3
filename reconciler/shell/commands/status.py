"""`fleet status`: what runs, where, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.condition import Condition, State, conditions
from reconciler.core.journal import Journal, decode, journal_id
from reconciler.core.put_back import held_back
from reconciler.core.world import World
from reconciler.flow.fan import Stop
from reconciler.flow.planning import observe
from reconciler.model.graph import Graph
from reconciler.shell.commands.plan import revision_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import color_option, colored, environment_option, output_option, repository_option
from reconciler.shell.session import run, session, unless_stopped
from reconciler.shell.targets import place_of
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="status")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@environment_option
@click.option("--all", "everything", is_flag=True, help="Healthy services, too, one a line.")
@output_option("text", "json")
@repository_option
@color_option
def command(names: tuple[str, ...], env: str | None, everything: bool, output: str, repo: Path | None, color: str) -> None:
    """Show what runs, where, and what is wrong. Exit code 3 when a service has failed.

    \b
    Examples: fleet status
              fleet status service-registry
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    world, told = run(lambda stop: _observed(workspace, graph, stop))
    graph = held_back(graph, world.inventory.tracks)
    found = conditions(graph, world)
    if names:
        found = tuple(one for one in found if one.resource.name in names or one.resource.short in names)
    if output == "json":
        from reconciler.shell.report.status import status_json

        click.echo(status_json(found, graph, world, told), nl=False)
    else:
        from reconciler.shell.report.status import status_text

        shown = status_text(
            found, graph, world, told, place_of(graph.environment), everything=everything or bool(names), color=colored(color)
        )
        click.echo(shown, nl=False)
    raise SystemExit(Exit.PARTLY if any(_is_bad(one) for one in found) else Exit.OK)


async def _observed(workspace: Workspace, graph: Graph, stop: Stop) -> tuple[World, Journal]:
    async with session(workspace.root, graph, revision_of(workspace)) as target:
        world = await unless_stopped(stop, observe(target.cluster, graph))
        return world, decode(await unless_stopped(stop, target.cluster.read(journal_id(graph))))


def _is_bad(condition: Condition) -> bool:
    return condition.state is State.FAILED
