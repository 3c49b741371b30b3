"""`fleet runs`: what the operator of an environment did last, told by the cluster itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click
import orjson

from reconciler.core.journal import Journal, RunEntry
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.orders import journal
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.status import operator_lines
from reconciler.shell.workspace import open_workspace

_COLUMNS = "{:<14}{:<10}{:<10}{:<20}{:>7}  {:<11}{}"


@click.command(name="runs")
@click.argument("run", required=False)
@environment_option
@output_option("text", "json")
@repository_option
def command(run: str | None, env: str | None, output: str, repo: Path | None) -> None:
    """List the last runs of an environment's operator, newest first, or tell RUN (an id or its beginning).

    They are read from the cluster, so a kubeconfig is all it takes. `fleet history` has all runs with their steps, where the ledger is.

    \b
    Examples: fleet runs
              fleet runs 4f2a --env production
    """
    workspace = open_workspace(repo)
    told = journal(workspace, workspace.graph(workspace.environment(env)))
    if output == "json":
        click.echo(orjson.dumps({"formatVersion": "1.0", **asdict(told)}, option=orjson.OPT_INDENT_2).decode())
        return
    if run is None:
        click.echo(_list(told), nl=False)
        return
    found = [one for one in told.runs if one.id.startswith(run)]
    if len(found) != 1:
        raise Refusal(f"no run, or more than one, has an id that begins with {run!r}", "fleet runs lists the last ones, fleet history all")
    click.echo(_one(found[0]), nl=False)


def _list(told: Journal) -> str:
    if not told.holder and not told.runs:
        return "No operator has led this environment yet.\n"
    lines = [*operator_lines(told), "", _COLUMNS.format("run", "revision", "because", "began (UTC)", "took", "ending", "what")]
    lines += [
        _COLUMNS.format(one.id, one.revision[:7], one.because[:9], one.began[:19].replace("T", " "), _took(one), one.ending, _what(one))
        for one in told.runs
    ]
    return "\n".join(visible(line).rstrip() for line in lines) + "\n"


def _one(run: RunEntry) -> str:
    lines = [
        f"run {run.id}: {run.ending}, at {run.revision[:7]}, because of: {run.because}",
        f"began {run.began}, took {_took(run)}",
        f"{run.created} created, {run.updated} updated, {run.deleted} deleted, {run.failed} failed",
        *run.message.splitlines(),
    ]
    return "\n".join(visible(line) for line in lines) + "\n"


def _what(run: RunEntry) -> str:
    counted = ((run.created, "+"), (run.updated, "~"), (run.deleted, "-"), (run.failed, "!"))
    return " ".join(f"{mark}{number}" for number, mark in counted if number)


def _took(run: RunEntry) -> str:
    if not run.ended:
        return "-"
    return f"{(datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.began)).total_seconds():.0f} s"
