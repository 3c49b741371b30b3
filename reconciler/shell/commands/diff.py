"""`fleet diff`: field by field, how the target differs from the specs."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.world import Options
from reconciler.flow.fan import Stop
from reconciler.model.graph import Graph
from reconciler.model.plan import Plan
from reconciler.shell.commands.plan import revision_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import color_option, colored, environment_option, output_option, repository_option, service_option
from reconciler.shell.session import run, session, unless_stopped
from reconciler.shell.subjects import chosen
from reconciler.shell.targets import place_of
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="diff")
@environment_option
@service_option
@output_option("text", "json")
@repository_option
@color_option
def command(env: str | None, services: tuple[str, ...], output: str, repo: Path | None, color: str) -> None:
    """Show field by field how the target differs from the work tree. Exit code 1 when it does.

    \b
    Example: fleet diff --service service-registry
    """
    workspace = open_workspace(repo)
    refs = chosen(workspace.reading.fleet, services)
    graph = workspace.graph(workspace.environment(env))
    made = run(lambda stop: planned(workspace, graph, Options(only=frozenset(map(str, refs))), stop))
    click.echo(shown(made, graph, output, color=colored(color)), nl=False)
    raise SystemExit(Exit.FINDINGS if made.steps else Exit.OK)


async def planned(workspace: Workspace, graph: Graph, options: Options, stop: Stop) -> Plan:
    """The plan of a graph against its target."""
    async with session(workspace.root, graph, revision_of(workspace)) as target:
        return (await unless_stopped(stop, target.plan(options))).plan


def shown(made: Plan, graph: Graph, output: str, *, color: bool) -> str:
    """Differences as text or JSON."""
    if output == "json":
        from reconciler.shell.report.plan_json import plan_json

        return plan_json(made, graph, place=place_of(graph.environment))
    from reconciler.shell.report.diff_text import diff_text

    said = diff_text(made, color=color)
    return said + "(simulated: no container runs there)\n" if graph.environment.simulated and made.steps else said
