"""`fleet approve`: a person's yes to what an operator waits for: a plan beyond its guards, an unsafe hold, what the policy blocks, a wave, a rewritten branch."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.core.approval import SHORTEST, brief, names
from reconciler.core.identity import record_id
from reconciler.core.journal import Journal
from reconciler.core.orders import APPROVED
from reconciler.model.happenings import SourceState
from reconciler.shell.interrupts import asking
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.orders import Addressee, give, journal
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.workspace import open_workspace


@click.command(name="approve")
@click.argument("hash", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@environment_option
@repository_option
def command(hash: str | None, yes: bool, env: str | None, repo: Path | None) -> None:
    """Approve what the operator of an environment waits for. Without HASH, show it and ask.

    An approval is of exactly what is shown: when that changes before the operator acts, it is of nothing, and the operator asks anew.

    \b
    Examples: fleet approve
              fleet approve 5f0c3a9b1e7d --env production
    """
    workspace = open_workspace(repo)
    graph = workspace.graph(workspace.environment(env))
    waiting = _waiting(journal(workspace, graph))
    if hash is not None and not any(names(hash, one) for one in waiting):
        known = ", ".join(brief(one) for one in waiting) or "nothing"
        raise Refusal(f"nothing waits for {hash!r}", f"what waits: {known}; give at least {SHORTEST} characters of it")
    if not waiting:
        raise Refusal(f"nothing waits for an approval in {graph.environment.name}", "fleet runs shows what the operator did last")
    for one, question in waiting.items():
        if hash is None or names(hash, one):
            click.echo(f"{brief(one)}  {visible(question)}", err=hash is not None)
    if hash is None and len(waiting) > 1:
        raise Refusal(f"{len(waiting)} things wait; say which one is meant", f"fleet approve {brief(next(iter(waiting)))}")
    if hash is None and not yes:
        if not sys.stdin.isatty():
            raise Refusal("nobody can be asked here", f"name it: fleet approve {brief(next(iter(waiting)))}")
        with asking():
            is_agreed = click.confirm("Approve this?", err=True)
        if not is_agreed:
            raise Refusal("not agreed to; nothing was approved")
    chosen = next(one for one in waiting if hash is None or names(hash, one))
    give(workspace, graph, Addressee("the plan", record_id(graph)), {APPROVED: chosen})
    click.echo(f"Approved {brief(chosen)}.")


def _waiting(told: Journal) -> dict[str, str]:
    """What waits, by what an approval would name."""
    found = {one.hash: one.question for one in told.asked}
    if told.source == SourceState.REWOUND.value and told.revision:
        found[told.revision] = told.message
    return found
