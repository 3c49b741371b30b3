"""`fleet images plan`: what would be built, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, assert_never

import click
import orjson

from pipelines.model.decision import Current, Decided, Open, Outdated, Unbuildable
from pipelines.shell.matter import matter
from pipelines.shell.plan_markdown import plan_markdown, why
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option


@click.command(name="plan")
@click.argument("names", nargs=-1)
@output_option("text", "markdown", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], output: str, env: str | None, repo: Path | None) -> None:
    """Say of each image whether its build in the lock is of the files as they are, and if not, why. Asks no registry.

    With `-o markdown` it is a comment for a pull request, below the size that GitHub takes.

    \b
    Example: fleet images plan family-web
    """
    found = matter(repo, env)
    chosen = found.named(names)
    decided = [one for one in found.decided() if one.target.name in chosen]
    match output:
        case "markdown":
            click.echo(plan_markdown(decided, found.where.name), nl=False)
        case "json":
            click.echo(orjson.dumps([_json(one) for one in decided], option=orjson.OPT_INDENT_2).decode())
        case _:
            click.echo(_text(decided))
    raise SystemExit(Exit.FINDINGS if any(isinstance(one.decision, Unbuildable) for one in decided) else Exit.OK)


def _text(decided: Iterable[Decided]) -> str:
    decided = tuple(decided)
    width = max((len(one.target.name) for one in decided), default=0)
    lines = [f"{_mark(one)} {one.target.name:{width}}  {why(one.decision)}" for one in decided]
    due = sum(not isinstance(one.decision, Current) for one in decided)
    lines.append(f"\n{due} of {len(decided)} to look up or build." if due else f"\nAll {len(decided)} are as the lock has them.")
    return "\n".join(lines)


def _mark(one: Decided) -> str:
    match one.decision:
        case Current():
            return " "
        case Outdated() | Open():
            return "~"
        case Unbuildable():
            return "!"
        case _:
            assert_never(one.decision)


def _json(one: Decided) -> dict[str, Any]:
    said: dict[str, Any] = {
        "image": one.target.name,
        "from": str(one.target.start),
        "key": one.key,
        "decision": type(one.decision).__name__.lower(),
    }
    return {**said, "digest": one.decision.build.digest} if isinstance(one.decision, Current) else {**said, "because": why(one.decision)}
