"""`fleet drift`: how the target differs from what was last applied."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.inventory import Inventory
from reconciler.core.world import Options
from reconciler.flow.fan import Stop
from reconciler.flow.planning import observe
from reconciler.model.graph import Graph
from reconciler.ports import SourceUnavailable
from reconciler.shell.commands.diff import planned, shown
from reconciler.shell.commands.plan import revision_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import color_option, colored, environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, session, unless_stopped
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="drift")
@environment_option
@output_option("text", "json")
@repository_option
@color_option
def command(env: str | None, output: str, repo: Path | None, color: str) -> None:
    """Show what has changed in the target since the last apply: deleted, edited, scaled or added by hand.

    Edits of specs that are not applied yet do not show; `fleet plan` shows those. Exit code 1 when something drifted.

    \b
    Example: fleet drift --env production
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    inventory = run(lambda stop: _inventory(workspace, graph, stop))
    if not inventory.exists:
        raise Refusal(f"nothing was applied to {graph.environment.name} yet", "fleet apply")
    last = _applied(workspace, inventory.revision)
    before = last.graph(last.environment(graph.environment.name))
    made = run(lambda stop: planned(last, before, Options(prune=False), stop))
    click.echo(shown(made, before, output, color=colored(color)), nl=False)
    raise SystemExit(Exit.FINDINGS if made.steps else Exit.OK)


async def _inventory(workspace: Workspace, graph: Graph, stop: Stop) -> Inventory:
    async with session(workspace.root, graph, revision_of(workspace)) as target:
        return (await unless_stopped(stop, observe(target.cluster, graph))).inventory


def _applied(workspace: Workspace, revision: str) -> Workspace:
    """The specs as they were applied: at that commit, or the work tree where uncommitted edits were applied."""
    commit, _, edited = revision.partition("+")
    if edited or not commit or commit == "unversioned":
        click.echo("note: uncommitted edits were applied last; the work tree stands in for them", err=True)
        return workspace
    try:
        return open_workspace(workspace.root, commit)
    except SourceUnavailable as gone:
        raise Refusal(f"the last applied revision cannot be read: {gone}", gone.fix) from None
