"""`fleet history`: past runs, or one of them with its steps."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.shell.ledgers import open_ledger
from reconciler.shell.opened import find_root
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.history import history_json, history_text, run_json, run_text


@click.command(name="history")
@click.argument("run", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs.")
@environment_option
@output_option("text", "json")
@repository_option
def command(run: str | None, limit: int, env: str | None, output: str, repo: Path | None) -> None:
    """List past runs, newest first, or tell RUN (an id or its beginning) step by step.

    The ledger is history only: deleting `.fleet/ledger.db` harms nothing that runs.

    \b
    Examples: fleet history
              fleet history 4f2a
    """
    ledger = open_ledger(find_root(repo or Path.cwd()))
    if run is None:
        runs = ledger.runs(env, limit)
        click.echo(history_json(runs) if output == "json" else history_text(runs), nl=False)
        return
    detail = ledger.run(run)
    if detail is None:
        raise Refusal(f"no run, or more than one, has an id that begins with {run!r}", "fleet history lists them")
    click.echo(run_json(detail) if output == "json" else run_text(detail), nl=False)
