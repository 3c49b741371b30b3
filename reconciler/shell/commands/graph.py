"""`fleet graph`: what depends on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from reconciler.core.linking import Linking
from reconciler.core.suggest import closest
from reconciler.model.fleet import Fleet
from reconciler.model.refs import Ref
from reconciler.shell.options import output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.graph_text import MOST, Drawing, graph_dot, graph_json, graph_mermaid
from reconciler.shell.workspace import open_workspace


@click.command(name="graph")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--depth", type=click.IntRange(1), default=1, show_default=True, help="How many links away from NAME to draw.")
@output_option("dot", "mermaid", "json")
@repository_option
def command(names: tuple[str, ...], depth: int, output: str, repo: Path | None) -> None:
    """Draw what links to what: all of it, or the neighbours of NAME (`web`, `platform/web`, or `Image/web` where several have the name).

    Arrows go from what links to what it links to. Broken specs are drawn, too, marked as such.

    \b
    Examples: fleet graph | dot -Tsvg > fleet.svg
              fleet graph base-python --depth 9 -o mermaid
    """
    reading = open_workspace(repo).reading
    drawing = _near(_all(reading.fleet, reading.linking), [_named(reading.fleet, name) for name in names], depth)
    click.echo(_shown(drawing, output), nl=False)


def _shown(drawing: Drawing, output: str) -> str:
    match output:
        case "json":
            return graph_json(drawing)
        case "mermaid":
            if len(drawing.edges) > MOST:
                click.echo(f"{len(drawing.edges)} links are more than the {MOST} that Mermaid draws: a table instead", err=True)
            return graph_mermaid(drawing)
        case _:
            return graph_dot(drawing)


def _all(fleet: Fleet, linking: Linking) -> Drawing:
    nodes = tuple(sorted({*fleet.resources, *fleet.broken}))
    known = set(nodes)
    edges = dict.fromkeys((ref, target) for ref, found in sorted(linking.links.items()) for _, target in found if {ref, target} <= known)
    return Drawing(fleet.name, nodes, tuple(edges), fleet.broken)


def _near(drawing: Drawing, middle: Iterable[Ref], depth: int) -> Drawing:
    """What is at most so many links away, in either direction, but never back and forth: no siblings by a common base."""
    middle = set(middle)
    if not middle:
        return drawing
    ahead: dict[Ref, set[Ref]] = {}
    back: dict[Ref, set[Ref]] = {}
    for one, two in drawing.edges:
        ahead.setdefault(one, set()).add(two)
        back.setdefault(two, set()).add(one)
    kept = _reached(middle, ahead, depth) | _reached(middle, back, depth)
    edges = tuple(edge for edge in drawing.edges if set(edge) <= kept)
    return Drawing(drawing.fleet, tuple(ref for ref in drawing.nodes if ref in kept), edges, drawing.broken & kept)


def _reached(start: set[Ref], links: Mapping[Ref, set[Ref]], depth: int) -> set[Ref]:
    found, edge = set(start), set(start)
    for _ in range(depth):
        edge = {target for ref in edge for target in links.get(ref, ())} - found
        if not edge:
            break
        found |= edge
    return found


def _named(fleet: Fleet, name: str) -> Ref:
    known = sorted({*fleet.resources, *fleet.broken})
    found = [ref for ref in known if name in (ref.name, ref.short, str(ref), f"{ref.kind}/{ref.name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refusal(f"several specs have the name {name!r}", "write " + " or ".join(str(ref) for ref in found))
    near = closest(name, [form for ref in known for form in (str(ref), ref.short, ref.name)])
    raise Refusal(f"there is no spec {name!r}", f"did you mean {near}?" if near else "`fleet graph -o json` lists all")
