"""`fleet operator`: what the operator needs in a cluster, printed or installed; and the operator."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from reconciler.core.installation import Part, Running, installation
from reconciler.flow.fan import Stop
from reconciler.flow.install import Action, Installed, Item, install, survey
from reconciler.kinds import KINDS
from reconciler.model.fleet import Environment
from reconciler.model.manifests import Body
from reconciler.shell.clock import WallClock
from reconciler.shell.exits import Exit
from reconciler.shell.interrupts import asking
from reconciler.shell.operator.command import command as run_command
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.progress import progress
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.targets import connected, place_of
from reconciler.shell.workspace import Workspace, open_workspace

F = TypeVar("F", bound=Callable[..., Any])
_MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.BLOCKED: "!"}
_FIELDS = 5


def _installation_options(function: F) -> F:
    """What is installed."""
    for option in (
        click.option("--branch", default="main", show_default=True, help="Branch of it."),
        click.option("--git", metavar="URL", help="Repository that the operator follows; needed for the part `operator`."),
        click.option("--image", metavar="REF", help="Image with this version of Fleetwright; needed for the part `operator`."),
        click.option(
            "--only",
            "parts",
            type=click.Choice([part.value for part in Part]),
            multiple=True,
            help="This part; repeatable. By default all: `operator` only where --image and --git are given.",
        ),
    ):
        function = option(function)
    return function


@click.group(name="operator")
def command() -> None:
    """The operator: what it needs in a cluster, printed or installed, and the operator itself."""


command.add_command(run_command)


@command.command(name="manifests")
@environment_option
@_installation_options
@output_option("yaml", "json")
@repository_option
def manifests(
    env: str | None, image: str | None, git: str | None, branch: str, parts: tuple[str, ...], output: str, repo: Path | None
) -> None:
    """Print the manifests, in the order in which they are to be applied. Nothing is read from a cluster.

    No repository is needed for the parts `crds` and `rbac`.

    \b
    Examples: fleet operator manifests --image ghcr.io/acme/fleetwright:1 --git https://github.com/acme/fleet > operator.yaml
              fleet operator manifests --only crds -o json
    """
    wanted = _parts(parts, image, git)
    running = _running(_environment(repo, env)[1], image, git, branch) if Part.OPERATOR in wanted else None
    click.echo(_printed(installation(KINDS, running, wanted), output), nl=False)


@command.command(name="install")
@environment_option
@_installation_options
@click.option("--adopt", is_flag=True, help="Take over objects that others made.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where nobody can answer.")
@repository_option
def install_command(
    env: str | None,
    image: str | None,
    git: str | None,
    branch: str,
    parts: tuple[str, ...],
    adopt: bool,
    yes: bool,
    repo: Path | None,
) -> None:
    """Show what an installation would change in the environment's cluster, ask, and apply it. A second time nothing is written.

    It needs the rights of a cluster administrator, which the operator itself does not have. Nothing is ever deleted.

    \b
    Exit codes: 0 all as wanted, 1 refused before any write, 2 usage or unreachable, 3 something failed, 130 interrupted.
    \b
    Example: fleet operator install
    """
    wanted = _parts(parts, image, git)
    workspace, environment = _environment(repo, env)
    if environment.target.kubernetes is None:
        raise Refusal(f"environment {environment.name} is no Kubernetes cluster", "choose one that is, with --env")
    if not yes and not sys.stdin.isatty():
        raise Refusal("nobody can be asked here", "add --yes")
    bodies = installation(KINDS, _running(environment, image, git, branch) if Part.OPERATOR in wanted else None, wanted)

    async def work(stop: Stop) -> Installed | None:
        async with connected(environment, workspace.root) as cluster:
            items = await unless_stopped(stop, survey(cluster, bodies, adopt=adopt))
            if not _agreed(items, place_of(environment), asks=not yes):
                return None
            with progress(simulated=environment.simulated) as seen:
                return await install(cluster, WallClock(), items, seen, stop)

    _tell(run(work))


def _parts(names: Iterable[str], image: str | None, git: str | None) -> tuple[Part, ...]:
    chosen = tuple(Part(name) for name in names)
    return chosen or (Part.CRDS, Part.RBAC, *((Part.OPERATOR,) if image or git else ()))


def _environment(repo: Path | None, env: str | None) -> tuple[Workspace, Environment]:
    workspace = open_workspace(repo)
    return workspace, workspace.environment(env)


def _running(environment: Environment, image: str | None, git: str | None, branch: str) -> Running:
    if image is None or git is None:
        missing = "which image the operator runs" if image is None else "which repository the operator follows"
        raise Refusal(f"nothing says {missing}", "add --image REF and --git URL, or --only crds --only rbac")
    return Running(image, environment.name, git, branch)


def _printed(bodies: Iterable[Body], output: str) -> str:
    plain = json.loads(json.dumps(list(bodies)))  # parts that objects share would become anchors
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": plain}, indent=2) + "\n"
    text: str = yaml.dump_all(plain, Dumper=yaml.CSafeDumper, sort_keys=False, width=140, explicit_start=True)
    return text


def _agreed(items: tuple[Item, ...], place: str, *, asks: bool) -> bool:
    """Shows the plan; True when it may go ahead. Refuses where something is blocked."""
    click.echo(f"Install to {place}", err=not asks)
    for item in items:
        if item.action is not Action.NOTHING:
            click.echo(f"  {_MARKS[item.action]} {item.id}{_about(item)}", err=not asks)
    count = {action: sum(item.action is action for item in items) for action in Action}
    summary = f"{count[Action.CREATE]} to create, {count[Action.UPDATE]} to update, {count[Action.NOTHING]} as they should be"
    click.echo(summary, err=not asks)
    if count[Action.BLOCKED]:
        raise Refusal(f"nothing was written: {count[Action.BLOCKED]} cannot be", "see the lines with `!`", Exit.FINDINGS)
    nothing = not count[Action.CREATE] and not count[Action.UPDATE]
    if nothing or not asks:
        return True
    with asking():
        return click.confirm("Install this?", err=True)


def _about(item: Item) -> str:
    if item.reason:
        return f": {visible(item.reason)}"
    paths = [change.path for change in item.changes]
    more = f" and {len(paths) - _FIELDS} more" if len(paths) > _FIELDS else ""
    return f": {', '.join(paths[:_FIELDS])}{more}" if paths else ""


def _tell(done: Installed | None) -> None:
    if done is None:
        raise Refusal("not agreed to; nothing was written", code=Exit.INTERRUPTED)
    for id, why in done.failed.items():
        click.echo(f"error: {id}: {visible(why)}", err=True)
    if done.failed:
        raise Refusal(
            f"{done.written} written, {len(done.failed)} failed", "correct it and install again: what stands is left alone", Exit.PARTLY
        )
    if done.stopped:
        raise Refusal(f"interrupted; {done.written} written", "install again to go on", Exit.INTERRUPTED)
    click.echo(f"{done.written} written." if done.written else "Everything is installed already; nothing was written.")
