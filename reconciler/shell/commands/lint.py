"""`fleet lint`: every finding of all files at once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler.kinds import KINDS
from reconciler.model.findings import Finding, Severity, ordered
from reconciler.shell import above
from reconciler.shell.exits import Exit
from reconciler.shell.options import color_option, colored, repository_option
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--env", "env", metavar="NAME", help="Judge in this environment only; by default in all of them.")
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json", "github", "sarif"]), default=None, help="Format; `github` in GitHub Actions."
)
@repository_option
@color_option
def command(files: tuple[Path, ...], env: str | None, strict: bool, output: str | None, repo: Path | None, color: str) -> None:
    """Check every spec and show all findings at once.

    With FILES (as pre-commit gives them) only findings in those files are shown; everything is still checked, because a finding in one file may
    come from an edit of another. Exit code 1 when there are errors.

    \b
    Example: fleet lint --strict -o github
    """
    workspace = open_workspace(repo)
    found = findings(workspace, env)
    if files:
        wanted = {_inside(workspace.root, file) for file in files}
        found = tuple(finding for finding in found if finding.place.path in wanted)
    click.echo(_report(found, output or ("github" if os.environ.get("GITHUB_ACTIONS") else "text"), color=colored(color)), nl=False)
    bad = [finding for finding in found if finding.is_error or (strict and finding.severity is Severity.WARNING)]
    raise SystemExit(Exit.FINDINGS if bad else Exit.OK)


def findings(workspace: Workspace, env: str | None) -> tuple[Finding, ...]:
    """Everything there is to say: of specs alone, and of each environment."""
    spec = workspace.reading.fleet.spec
    if spec is None:
        return workspace.reading.findings
    names = [env] if env else list(spec.environments)
    graphs = [workspace.graph(workspace.environment(name)) for name in names]
    return ordered((*(finding for graph in graphs for finding in graph.findings), *above.findings(workspace, graphs[0])))


def _inside(root: Path, file: Path) -> str:
    path = file if file.is_absolute() else Path.cwd() / file
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file.as_posix()


def _report(found: tuple[Finding, ...], output: str, *, color: bool) -> str:
    match output:
        case "json":
            from reconciler.shell.report.json import json

            return json(found)
        case "github":
            from reconciler.shell.report.github import github

            return github(found)
        case "sarif":
            from importlib.metadata import version

            from reconciler.core.codes import table
            from reconciler.shell.report.sarif import sarif

            return sarif(found, table(KINDS), version("fleetwright"))
        case _:
            from reconciler.shell.report.text import text

            return text(found, color=color)
