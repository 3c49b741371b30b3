"""`fleet images matrix`: what is to be built, in waves, as GitHub's matrices or as JSON."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from pipelines.core.matrix import changed, matrix, nodes, outputs, waves
from pipelines.model.decision import Current, Unbuildable
from pipelines.shell.matter import Matter, matter
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.workspace import open_workspace


@click.command(name="matrix")
@click.option("--against", metavar="REV", help="What differs from this commit, instead of what the lock does not have.")
@output_option("json", "github")
@environment_option
@repository_option
def command(against: str | None, output: str, env: str | None, repo: Path | None) -> None:
    """Write what is to be built as a matrix for each wave: images of one depth side by side, one leg an image, platform and driver.

    An image is in it when the lock has no build of its files as they are, or what it starts from is in it. Asks no registry.
    With `-o github` the lines are for $GITHUB_OUTPUT: `wave0` to `wave5`, and `any0` to `any5`, which say whether a wave has legs.

    \b
    Example: fleet images matrix --env production -o github >>"$GITHUB_OUTPUT"
    """
    found = matter(repo, env)
    bad = [one for one in found.decided() if isinstance(one.decision, Unbuildable)]
    made = waves(nodes(found.graph), _against(found, against) if against else _not_locked(found))
    if output == "github":
        click.echo("\n".join(outputs(made)))
    else:
        click.echo(orjson.dumps({"any": bool(made), "waves": [matrix(legs) for legs in made]}, option=orjson.OPT_INDENT_2))
    for one in bad:
        assert isinstance(one.decision, Unbuildable)
        aside(f"error: {one.target.name}: {one.decision.because}" + (f"\nhelp: {one.decision.fix}" if one.decision.fix else ""))
    raise SystemExit(Exit.FINDINGS if bad else Exit.OK)


def _not_locked(found: Matter) -> frozenset[str]:
    return frozenset(one.target.name for one in found.decided() if not isinstance(one.decision, Current | Unbuildable))


def _against(found: Matter, revision: str) -> frozenset[str]:
    past = open_workspace(found.workspace.root, revision)
    return changed(past.graph(past.environment(found.where.name)), found.graph)
