"""`fleet images lineage`: which image starts from which, with digests and verdicts, and what runs each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.catalog import Listed, catalog, judgement
from pipelines.core.lineage import about, edges, lineage_text
from pipelines.shell.images.listing import as_json
from pipelines.shell.matter import Matter, matter
from reconciler.model.graph import Choice, Held, Locked, Unverified
from reconciler.model.refs import Ref
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.report.plan_escape import mermaid

MANY = 4
"""Services that a chart names in one box."""


@click.command(name="lineage")
@click.argument("names", nargs=-1)
@output_option("text", "mermaid", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], output: str, env: str | None, repo: Path | None) -> None:
    """Draw which image starts from which, with current build and verdict of each, and the services below.

    With NAMES these and what they start from. Mermaid is what GitHub draws in Markdown.

    \b
    Example: fleet images lineage family-web -o mermaid
    """
    found = matter(repo, env)
    chosen = found.named(names)
    listed = [one for one in catalog(found.decided(), found.lock, found.graph) if one.name in chosen or not names]
    click.echo(_shown(listed, found, output))


def _shown(listed: Collection[Listed], found: Matter, output: str) -> str:
    match output:
        case "json":
            return orjson.dumps(_json(listed, found.graph.choices), option=orjson.OPT_INDENT_2).decode()
        case "mermaid":
            return "\n".join(_chart(listed))
        case _:
            return lineage_text(listed, found.graph.choices) or "No images."


def _json(listed: Collection[Listed], choices: Mapping[Ref, Choice]) -> dict[str, Any]:
    return {
        "images": [{**as_json(one), "runs": {str(ref): _runs(choices.get(ref)) for ref in one.users}} for one in listed],
        "edges": [{"from": start, "to": name} for start, name in edges(listed)],
    }


def _runs(choice: Choice | None) -> dict[str, Any]:
    match choice:
        case Locked(build=build):
            return {"digest": build.digest, "tag": build.tag, "held": False}
        case Held(build=build):
            return {"digest": build.digest, "tag": build.tag, "held": True}
        case Unverified(tag=tag, hold=hold):
            return {"digest": None, "tag": tag, "held": hold is not None}
        case _:
            return {"digest": None, "tag": None, "held": False}


def _chart(listed: Collection[Listed]) -> Iterator[str]:
    boxes = {name: f"n{place}" for place, name in enumerate(dict.fromkeys(name for edge in edges(listed) for name in edge))}
    boxes |= {one.name: f"g{place}" for place, one in enumerate(listed) if one.name not in boxes}
    known = {one.name: one for one in listed}
    yield "graph LR"
    for name, box in boxes.items():
        yield f"  {box}[{mermaid(f'{name}: {about(known[name])}' if name in known else name)}]"
    yield from (f"  {boxes[start]} --> {boxes[name]}" for start, name in edges(listed))
    for one in listed:
        if one.users:
            named = ", ".join(ref.short for ref in one.users[:MANY])
            more = f" and {len(one.users) - MANY} more" if len(one.users) > MANY else ""
            yield f"  {boxes[one.name]} -.-> s{boxes[one.name]}({mermaid(named + more)})"
    yield from (f"  style {boxes[one.name]} stroke-dasharray: 5" for one in listed if one.builds is None)
    bad = (one for one in listed if one.builds and judgement(one.builds.current) != "passed")
    yield from (f"  style {boxes[one.name]} stroke:#c00" for one in bad)
