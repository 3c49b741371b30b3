"""`fleet apply`: make the target what the specs say."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.core.world import Options
from reconciler.flow.apply import Settings, apply
from reconciler.flow.fan import Stop
from reconciler.flow.planning import Planned
from reconciler.flow.told import never_begun
from reconciler.model.findings import errors
from reconciler.model.graph import Graph
from reconciler.model.quantities import parse_duration
from reconciler.model.result import Ending, Result, Status
from reconciler.ports import Unreachable
from reconciler.shell.aside import aside
from reconciler.shell.clock import WallClock
from reconciler.shell.commands.plan import refuse_unplaced, revision_of
from reconciler.shell.exits import Exit
from reconciler.shell.ledgers import Preload
from reconciler.shell.options import color_option, colored, environment_option, repository_option, service_option, takes_down_options
from reconciler.shell.person import person
from reconciler.shell.progress import progress
from reconciler.shell.record import recording
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.plan_json import read_hash
from reconciler.shell.report.plan_text import plan_text
from reconciler.shell.report.text import text
from reconciler.shell.session import Session, asked, run, session, unless_stopped
from reconciler.shell.subjects import FORCED, chosen, forced_holds, options_of
from reconciler.shell.targets import place_of
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="apply")
@click.argument("saved", required=False, metavar="[PLAN]", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@environment_option
@click.option("--yes", is_flag=True, help="Do not ask. Needed where nobody can answer, unless a saved PLAN is given.")
@click.option("--wait/--no-wait", default=True, help="Wait for each wave to become healthy.")
@click.option(
    "--timeout", metavar="DURATION", help="How long one wave may take, such as 10m; by default the environment's `sync.deadline`."
)
@click.option("--lease-wait/--no-lease-wait", default=True, help="Wait for another writer's Lease to end (up to 30 s), or exit with 5.")
@click.option(
    "--preflight/--no-preflight",
    default=True,
    help="Ask the server about every object before the first one is written. Without, new objects are not asked about: what it refuses of them"
    " is found only when it is written, with others written already.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every changed field.")
@service_option
@takes_down_options
@repository_option
@color_option
def command(
    saved: Path | None,
    env: str | None,
    yes: bool,
    wait: bool,
    timeout: str | None,
    lease_wait: bool,
    preflight: bool,
    verbose: bool,
    services: tuple[str, ...],
    adopt: bool,
    no_prune: bool,
    prune_unplaced: bool,
    require_placed: bool,
    allow_delete: int | None,
    repo: Path | None,
    color: str,
) -> None:
    """Make the target what the specs say: namespaces, a preflight of everything, then tenants and services wave by wave, deletions last.

    Refused while any finding is an error; nothing is written then. Ctrl-C leaves a consistent inventory; apply again to go on.

    \b
    Exit codes: 0 all as desired, 1 refused before any write, 2 usage or unreachable, 3 something failed, is held or blocked,
    4 deadline passed with nothing failed, 5 another writer or a stale plan, 130 interrupted.
    \b
    Examples: fleet apply
              FORCE_IMAGE_TAG=20261118-4be1d07 fleet apply --service service-registry
    """
    workspace = open_workspace(repo)
    wanted_hash, env = _of_saved(saved, env)
    environment = workspace.environment(env)
    refs = chosen(workspace.reading.fleet, services)
    forced = forced_holds(refs)
    graph = workspace.graph(environment, forced)
    refuse_unplaced(graph, wanted=require_placed)
    _refuse_errors(graph, color=colored(color))
    options = options_of(
        refs, adopt=adopt, no_prune=no_prune, prune_unplaced=prune_unplaced, allow_delete=allow_delete, preflight=preflight
    )
    settings = Settings(
        holder=f"{person()}@{socket.gethostname()} {os.getpid()}",
        revision=workspace.reading.tree.revision,
        wait=wait,
        wait_for_lease=lease_wait and not forced,
        wave_seconds=_deadline(timeout, environment.sync.deadline) / 1000,
    )
    asks = not yes and saved is None
    if asks and not sys.stdin.isatty():
        raise Refusal("nobody can be asked here", "add --yes, or give a plan saved by `fleet plan --out PLAN`")

    asking = _Asking(asks, verbose, colored(color), workspace.reading.tree.edited)

    async def work(stop: Stop) -> Result:
        async with session(workspace.root, graph, revision_of(workspace), Preload()) as target:
            return await _applied(target, options, settings, stop, wanted_hash, workspace, asking)

    result = run(work)
    with contextlib.suppress(OSError):  # what was done is told by the exit code, too
        _tell(result, environment_name=environment.name, simulated=environment.simulated, forced=bool(forced), services=services)
    raise SystemExit(_exit(result.ending))


class _Asking:
    """How the plan is shown and whether a person must agree to it."""

    def __init__(self, asks: bool, verbose: bool, color: bool, edited: int) -> None:
        self._asks, self._verbose, self._color, self._edited = asks, verbose, color, edited

    def agreed(self, planned: Planned, graph: Graph, stop: Stop) -> bool:
        """Shows the plan; True when it may go ahead."""
        shown = plan_text(
            planned.plan,
            graph,
            place=place_of(graph.environment),
            edited=self._edited,
            color=self._color,
            verbose=self._verbose,
            closing=False,
        )
        if not self._asks:
            with contextlib.suppress(OSError):  # nobody has to listen
                click.echo(shown, nl=False, err=True)
            return True
        click.echo(shown, nl=False)
        return planned.plan.is_empty or asked("Apply this?", stop)


async def _applied(
    target: Session, options: Options, settings: Settings, stop: Stop, wanted_hash: str, workspace: Workspace, asking: _Asking
) -> Result:
    try:
        planned = await unless_stopped(stop, target.plan(options))
    except Unreachable as lost:
        raise Unreachable(never_begun(str(lost)), lost.fix) from None
    if wanted_hash and planned.plan.hash != wanted_hash:
        message = (
            "The saved plan is stale: the specs or the target have moved since. Nothing was written. Plan again and look at the difference."
        )
        return Result(planned.plan.hash, (), Ending.STALE, message)
    if not asking.agreed(planned, target.graph, stop):
        return Result(planned.plan.hash, (), Ending.CANCELLED, "Not agreed to. Nothing was written.")
    with progress(simulated=target.graph.environment.simulated) as seen, recording(workspace.root, planned, settings, _now()) as record:
        result = await apply(planned, target.cluster, WallClock(), seen, stop, settings)
        record.finish(result, _now())
    return result


def _tell(result: Result, *, environment_name: str, simulated: bool, forced: bool, services: tuple[str, ...]) -> None:
    suffix = " (simulated: no kubelet, readiness is played)" if simulated and result.count(Status.DONE) else ""
    if result.ending is Ending.COMPLETED:
        click.echo(result.message + suffix)
    else:
        aside(result.message + suffix)
    if result.ending is Ending.LOCKED and forced:
        tag = os.environ.get(FORCED, "TAG")
        aside(f"help: an operator writes here; roll back through git: fleet rollback {services[0]} --to {tag} --reason ...")
    if result.ending is Ending.COMPLETED and result.outcomes:
        aside(f"Look at it with: fleet status --env {environment_name}")


def _refuse_errors(graph: Graph, *, color: bool) -> None:
    wrong = errors(graph.findings)
    if wrong:
        click.echo(text(wrong, color=color), nl=False, err=True)
        raise Refusal("nothing was written: specs have errors", "correct them; `fleet lint` shows all findings", Exit.FINDINGS)


def _of_saved(saved: Path | None, env: str | None) -> tuple[str, str | None]:
    if saved is None:
        return "", env
    try:
        wanted, environment = read_hash(saved.read_text())
    except UnicodeDecodeError:
        raise Refusal(f"{saved} is not a saved plan: it is no text", "make one with `fleet plan --out PLAN`") from None
    except (ValueError, OSError) as wrong:
        raise Refusal(f"{saved} is not a saved plan: {wrong}", "make one with `fleet plan --out PLAN`") from None
    if env and env != environment:
        raise Refusal(f"{saved} is a plan for {environment}, not {env}", f"leave --env out, or plan again with --env {env}")
    return wanted, environment


def _deadline(timeout: str | None, default: int) -> int:
    if timeout is None:
        return default
    try:
        return parse_duration(timeout)
    except ValueError as wrong:
        raise Refusal(f"--timeout: {wrong}") from None


def _now() -> datetime:
    return datetime.now(UTC)


def _exit(ending: Ending) -> Exit:
    """The exit code of a run that ended so."""
    match ending:
        case Ending.COMPLETED:
            return Exit.OK
        case Ending.REFUSED:
            return Exit.FINDINGS
        case Ending.FAILED | Ending.HELD | Ending.BLOCKED | Ending.PAUSED:
            return Exit.PARTLY
        case Ending.EXPIRED:
            return Exit.EXPIRED
        case Ending.LOCKED | Ending.STALE:
            return Exit.LOCKED
        case Ending.CANCELLED:
            return Exit.INTERRUPTED
