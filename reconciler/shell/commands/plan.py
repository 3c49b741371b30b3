"""`fleet plan`: what an apply would do, or what a commit changes."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.compare import compare
from reconciler.core.plan import Revision
from reconciler.core.render import render
from reconciler.core.world import Options
from reconciler.flow.fan import Stop
from reconciler.kinds import KINDS
from reconciler.model.findings import errors
from reconciler.model.graph import Graph, Unplaced
from reconciler.model.plan import Block, Plan
from reconciler.ports import SourceUnavailable
from reconciler.shell.exits import Exit
from reconciler.shell.options import (
    color_option,
    colored,
    environment_option,
    output_option,
    repository_option,
    service_option,
    takes_down_options,
)
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, session, unless_stopped
from reconciler.shell.subjects import chosen, forced_holds, options_of
from reconciler.shell.targets import place_of
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="plan")
@environment_option
@click.option("--against", metavar="REV", help="Compare with this commit instead of a target: needs no cluster and no credentials.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the plan as JSON here, for `fleet apply PLAN`.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there are changes.")
@click.option("-v", "--verbose", is_flag=True, help="Every changed field.")
@service_option
@takes_down_options
@output_option("text", "markdown", "json")
@repository_option
@color_option
def command(
    env: str | None,
    against: str | None,
    out: Path | None,
    exit_code: bool,
    verbose: bool,
    services: tuple[str, ...],
    adopt: bool,
    no_prune: bool,
    prune_unplaced: bool,
    require_placed: bool,
    allow_delete: int | None,
    output: str,
    repo: Path | None,
    color: str,
) -> None:
    """Show what `fleet apply` would do. Nothing is written.

    Live state is read by a few LISTs, and the server's own dry-run decides what differs. With --against REV two commits are compared instead:
    nothing is asked of any cluster, and the effects are told (which images rebuild, which services roll, and the path why).

    \b
    Examples: fleet plan
              fleet plan --env production --against origin/main -o markdown
    """
    workspace = open_workspace(repo)
    environment = workspace.environment(env)
    refs = chosen(workspace.reading.fleet, services)
    graph = workspace.graph(environment, forced_holds(refs))
    refuse_unplaced(graph, wanted=require_placed)
    if against:
        made = compared(workspace, graph, against)
    else:
        options = options_of(refs, adopt=adopt, no_prune=no_prune, prune_unplaced=prune_unplaced, allow_delete=allow_delete)
        made = run(lambda stop: _live(workspace, graph, options, stop))
    edited = workspace.reading.tree.edited
    if out is not None:
        try:
            out.write_text(_shown(made, graph, "json", color=False, verbose=True))
        except OSError as fault:
            raise Refusal(f"{out} cannot be written: {fault.strerror}", "name another file with --out") from None
    click.echo(_shown(made, graph, output, color=colored(color), verbose=verbose, against=against or "", edited=edited), nl=False)
    raise SystemExit(_exit(made, exit_code=exit_code))


async def _live(workspace: Workspace, graph: Graph, options: Options, stop: Stop) -> Plan:
    async with session(workspace.root, graph, revision_of(workspace)) as target:
        planned = await unless_stopped(stop, target.plan(options))
        return planned.plan


def revision_of(workspace: Workspace) -> Revision:
    """The revision that the workspace stands at."""
    return Revision(workspace.reading.tree.revision, workspace.reading.tree.dirty)


def compared(workspace: Workspace, graph: Graph, against: str) -> Plan:
    """The plan from another commit to this one."""
    try:
        past = open_workspace(workspace.root, against)
    except SourceUnavailable as gone:
        raise Refusal(str(gone), gone.fix) from None
    before = past.graph(past.environment(graph.environment.name))
    return compare((before, render(before, KINDS)), (graph, render(graph, KINDS)), KINDS, revision_of(workspace))


def refuse_unplaced(graph: Graph, *, wanted: bool) -> None:
    """Refuses when a service has no machine and that is not wanted."""
    missing = [f"{ref}: {placement.reason}" for ref, placement in graph.placements.items() if isinstance(placement, Unplaced)]
    if wanted and missing:
        raise Refusal(
            "services have no machine:\n  " + "\n  ".join(missing), "change `machine:` or the environment's machines", Exit.FINDINGS
        )


def _exit(made: Plan, *, exit_code: bool) -> Exit:
    if errors(made.findings) or any(isinstance(step, Block) for step in made.steps):
        return Exit.FINDINGS
    return Exit.FINDINGS if exit_code and made.steps else Exit.OK


def _shown(made: Plan, graph: Graph, output: str, *, color: bool, verbose: bool, against: str = "", edited: int = 0) -> str:
    place = "" if against else place_of(graph.environment)
    match output:
        case "json":
            from reconciler.shell.report.plan_json import plan_json

            return plan_json(made, graph, place=place, against=against)
        case "markdown":
            from reconciler.shell.report.plan_markdown import plan_markdown

            return plan_markdown(made, graph, place=place, against=against, edited=edited)
        case _:
            from reconciler.shell.report.plan_text import plan_text

            return plan_text(made, graph, place=place, against=against, edited=edited, color=color, verbose=verbose)
