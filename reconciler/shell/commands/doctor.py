"""`fleet doctor`: tools, credentials, target; what is wrong, and the exact thing to do."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import click

from reconciler.shell.checks import Check, State, of_machine, of_repository
from reconciler.shell.exits import Exit
from reconciler.shell.options import color_option, colored, environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_values import without_password
from reconciler.shell.workspace import open_workspace

_COLORS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


@click.command(name="doctor")
@environment_option
@click.option("--offline", is_flag=True, help="Do not ask the cluster.")
@output_option("text", "json")
@repository_option
@color_option
def command(env: str | None, offline: bool, output: str, repo: Path | None, color: str) -> None:
    """Check tools, repository, credentials and target. Reads only. Exit code 1 when something fails.

    Of secrets it is looked up whether they are there; what they hold is never read.

    \b
    Example: fleet doctor --env production
    """
    found = (*of_machine(os.environ), *_of_fleet(repo, env, offline=offline))
    click.echo(_json(found) if output == "json" else _text(found, color=colored(color)), nl=False)
    raise SystemExit(Exit.FINDINGS if any(check.state is State.FAIL for check in found) else Exit.OK)


def _of_fleet(repo: Path | None, env: str | None, *, offline: bool) -> tuple[Check, ...]:
    """A repository that cannot be read is itself what is wrong, and no reason to stop."""
    try:
        workspace = open_workspace(repo)
        found = tuple(of_repository(workspace))
        if workspace.reading.fleet.spec is None:
            return found
        environment = workspace.environment(env)
        if offline:
            return found
        from reconciler.shell.cluster_checks import of_cluster

        return (*found, *asyncio.run(of_cluster(workspace.graph(environment), workspace.root, os.environ)))
    except Refusal as refused:
        return (Check("repository", State.FAIL, refused.message, refused.fix),)


def _text(found: tuple[Check, ...], *, color: bool) -> str:
    wide = max(len(check.name) for check in found)
    lines = []
    for check in found:
        state = f"{check.state:<4}"
        lines.append(f"{click.style(state, fg=_COLORS[check.state]) if color else state}  {check.name:<{wide}}  {_safe(check.seen)}")
        if check.fix:
            lines.append(f"{'':<4}  {'':<{wide}}  help: {_safe(check.fix)}")
    bad = sum(check.state is State.FAIL for check in found)
    return "\n".join([*lines, "", f"{bad} failed." if bad else "Nothing fails."]) + "\n"


def _json(found: tuple[Check, ...]) -> str:
    checks = [{"name": check.name, "state": str(check.state), "seen": without_password(check.seen), "fix": check.fix} for check in found]
    return json.dumps({"formatVersion": "1.0", "checks": checks}, indent=2) + "\n"


def _safe(text: str) -> str:
    return visible(without_password(text))
