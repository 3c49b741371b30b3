"""`fleet config`: every setting, its value, and where it comes from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_values import without_password
from reconciler.shell.setting_values import Value, values
from reconciler.shell.workspace import open_workspace


@click.command(name="config")
@click.argument("show", required=False, type=click.Choice(["show"]), metavar="[show]")
@click.option("--origin", is_flag=True, help="Also tell where each value comes from.")
@environment_option
@repository_option
@output_option("text", "json")
@click.pass_context
def command(context: click.Context, show: str | None, origin: bool, env: str | None, repo: Path | None, output: str) -> None:  # noqa: ARG001
    """Show every setting as it is now. A flag counts before a FLEET_* variable, that before fleet.yaml, that before the default.

    \b
    Example: fleet config show --origin --env production
    """
    workspace = open_workspace(repo)
    workspace.environment(env)
    given = {"--env": env, "--repo": str(repo) if repo else None}
    flags = {flag: value for flag, value in given.items() if value and _is_typed(context, flag)}
    click.echo(_shown(values(workspace.reading.fleet, os.environ, flags), output, origin=origin), nl=False)


def _is_typed(context: click.Context, flag: str) -> bool:
    return context.get_parameter_source(flag.lstrip("-")) is click.core.ParameterSource.COMMANDLINE


def _shown(found: tuple[Value, ...], output: str, *, origin: bool) -> str:
    shown = [(value.setting.name, without_password(value.value), value.origin) for value in found]
    if output == "json":
        told = {name: {"value": text, "origin": where} for name, text, where in shown}
        return json.dumps({"formatVersion": "1.0", "settings": told}, indent=2) + "\n"
    wide, long = (max(len(row[column]) for row in shown) for column in (0, 1))
    lines = [f"{name:<{wide}}  {visible(text):<{long}}  {visible(where) if origin else ''}".rstrip() for name, text, where in shown]
    return "\n".join(lines) + "\n"
