"""`fleet wait`: until services are healthy."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.health import Failed, Health, Progressing, health, waits
from reconciler.core.render import owner_of
from reconciler.flow.fan import Stop
from reconciler.flow.planning import observe
from reconciler.flow.wait import await_health
from reconciler.model.graph import Graph
from reconciler.model.manifests import ObjectId, Observed
from reconciler.model.quantities import parse_duration
from reconciler.model.refs import Ref
from reconciler.shell.clock import WallClock
from reconciler.shell.commands.plan import revision_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, session, unless_stopped
from reconciler.shell.subjects import chosen
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="wait")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--timeout", default="10m", show_default=True, metavar="DURATION", help="How long at most.")
@environment_option
@repository_option
def command(names: tuple[str, ...], timeout: str, env: str | None, repo: Path | None) -> None:
    """Wait until services (all, or those named) are healthy. By watch: it ends the moment they are.

    Exit codes: 0 healthy, 3 one has failed, 4 not in time, 130 interrupted.

    \b
    Example: fleet wait service-registry --timeout 2m
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    refs = chosen(workspace.reading.fleet, names)
    try:
        seconds = parse_duration(timeout) / 1000
    except ValueError as wrong:
        raise Refusal(f"--timeout: {wrong}") from None
    state = run(lambda stop: _wait(workspace, graph, refs, seconds, stop))
    sick = {id: one for id, one in state.items() if isinstance(one, Failed | Progressing)}
    for id, one in sorted(sick.items()):
        click.echo(f"{id}: {one.reason}")
    click.echo(f"{len(state) - len(sick)} of {len(state)} workloads are healthy" + (" (simulated)" if graph.environment.simulated else ""))
    failed = any(isinstance(one, Failed) for one in sick.values())
    raise SystemExit(Exit.PARTLY if failed else Exit.EXPIRED if sick else Exit.OK)


async def _wait(workspace: Workspace, graph: Graph, refs: tuple[Ref, ...], seconds: float, stop: Stop) -> dict[ObjectId, Health]:
    async with session(workspace.root, graph, revision_of(workspace)) as target:
        world = await unless_stopped(stop, observe(target.cluster, graph))
        wanted = {id: seen for id, seen in world.objects.items() if waits(seen.body) and (not refs or _owner(seen) in refs)}
        missing = [ref for ref in refs if ref not in {_owner(seen) for seen in wanted.values()}]
        if missing:
            raise Refusal(f"nothing of {missing[0]} runs in {graph.environment.name}", "fleet status tells why", Exit.PARTLY)
        state: dict[ObjectId, Health] = {id: health(seen.body) for id, seen in wanted.items()}
        open_ones = [id for id, one in state.items() if isinstance(one, Progressing)]

        def seen(id: ObjectId, one: Health) -> None:
            state[id] = one

        if not any(isinstance(one, Failed) for one in state.values()):
            await await_health(target.cluster, WallClock(), graph.environment, open_ones, stop, seconds, seen)
        if stop.is_set():
            raise Refusal(f"{stop.reason}", code=Exit.INTERRUPTED)
        return state


def _owner(observed: Observed) -> Ref:
    return owner_of(observed.body["metadata"]["labels"])
