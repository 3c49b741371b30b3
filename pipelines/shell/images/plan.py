"""`fleet images plan`: what would be built, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

import click

from pipelines.model.decision import Current, Open, Outdated, Planned, Unbuildable
from pipelines.shell.plan_markdown import plan_markdown, why
from pipelines.shell.recall import Recall
from reconciler.shell.exits import Exit
from reconciler.shell.opened import open_source
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
    planned, environment = _planned(names, env, repo)
    match output:
        case "markdown":
            click.echo(plan_markdown(planned, environment), nl=False)
        case "json":
            import orjson

            click.echo(orjson.dumps([_json(one) for one in planned], option=orjson.OPT_INDENT_2).decode())
        case _:
            click.echo(_text(planned))
    raise SystemExit(Exit.FINDINGS if any(isinstance(one.decision, Unbuildable) for one in planned) else Exit.OK)


def _planned(names: tuple[str, ...], env: str | None, repo: Path | None) -> tuple[list[Planned], str]:
    """The plan, and the environment that it is for."""
    opened = open_source(repo)
    recall = Recall(opened, "plan", env, names)
    if known := recall.found():
        return [Planned(one.name, one.start, one.build.key, Current(one.build)) for one in known.images], known.environment
    from pipelines.shell.matter import of_source

    found = of_source(opened, env)
    chosen = found.named(names)
    decided = [one for one in found.decided() if one.target.name in chosen]
    recall.keep(found, decided)
    return [one.planned for one in decided], found.where.name


def _text(planned: Sequence[Planned]) -> str:
    width = max((len(one.name) for one in planned), default=0)
    lines = [f"{_mark(one)} {one.name:{width}}  {why(one.decision)}" for one in planned]
    due = sum(not isinstance(one.decision, Current) for one in planned)
    lines.append(f"\n{due} of {len(planned)} to look up or build." if due else f"\nAll {len(planned)} are as the lock has them.")
    return "\n".join(lines)


def _mark(one: Planned) -> str:
    match one.decision:
        case Current():
            return " "
        case Outdated() | Open():
            return "~"
        case Unbuildable():
            return "!"
        case _:
            assert_never(one.decision)


def _json(one: Planned) -> dict[str, Any]:
    said: dict[str, Any] = {
        "image": one.name,
        "from": one.start,
        "key": one.key,
        "decision": type(one.decision).__name__.lower(),
    }
    return {**said, "digest": one.decision.build.digest} if isinstance(one.decision, Current) else {**said, "because": why(one.decision)}
