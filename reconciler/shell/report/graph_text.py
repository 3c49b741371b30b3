"""The graph of a fleet as dot, Mermaid or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.model.refs import Ref
from reconciler.model.value import dataclass
from reconciler.shell.report.plan_escape import code, mermaid, visible

MOST = 500
"""Edges that Mermaid draws; more it refuses (`maxEdges`, which a chart cannot raise)."""
_SHAPES: Mapping[str, str] = {
    "Tenant": "house", "Image": "box3d", "Service": "box", "Task": "cds", "ToolCatalog": "folder", "PolicyPack": "note"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: nodes, and edges from what links to what is linked. `broken` nodes have a file that does not parse."""

    fleet: str
    nodes: tuple[Ref, ...]
    edges: tuple[tuple[Ref, Ref], ...]
    broken: frozenset[Ref] = frozenset()


def graph_dot(drawing: Drawing) -> str:
    """For Graphviz: `fleet graph -o dot | dot -Tsvg`."""
    lines = [f"digraph {_quoted(drawing.fleet or 'fleet')} {{", "  rankdir=LR", "  node [fontname=sans]"]
    for ref in drawing.nodes:
        broken = ", style=dashed, xlabel=broken" if ref in drawing.broken else ""
        lines.append(f"  {_quoted(str(ref))} [label={_quoted(ref.short)}, shape={_SHAPES.get(ref.kind, 'ellipse')}{broken}]")
    lines += [f"  {_quoted(str(one))} -> {_quoted(str(two))}" for one, two in drawing.edges]
    return "\n".join([*lines, "}"]) + "\n"


def graph_mermaid(drawing: Drawing) -> str:
    """For Markdown; a table where there are too many edges to draw."""
    if len(drawing.edges) > MOST:
        return graph_table(drawing)
    numbers = {ref: f"n{number}" for number, ref in enumerate(drawing.nodes)}
    lines = ["graph LR", *(f"  {numbers[ref]}[{mermaid(f'{ref.kind} {ref.short}')}]" for ref in drawing.nodes)]
    lines += [f"  {numbers[one]} --> {numbers[two]}" for one, two in drawing.edges]
    lines += [f"  style {numbers[ref]} stroke-dasharray: 5" for ref in drawing.nodes if ref in drawing.broken]
    return "\n".join(lines) + "\n"


def graph_table(drawing: Drawing) -> str:
    """What each links to, as a Markdown table."""
    targets: dict[Ref, list[Ref]] = {}
    for one, two in drawing.edges:
        targets.setdefault(one, []).append(two)
    lines = ["| what | links to |", "| --- | --- |"]
    lines += [f"| {code(str(ref))} | {', '.join(code(str(target)) for target in linked)} |" for ref, linked in targets.items()]
    return "\n".join(lines) + "\n"


def graph_json(drawing: Drawing) -> str:
    """For programs."""
    nodes = [
        {"ref": str(ref), "kind": ref.kind, "tenant": ref.tenant or None, "name": ref.name, "broken": ref in drawing.broken}
        for ref in drawing.nodes
    ]
    edges = [{"from": str(one), "to": str(two)} for one, two in drawing.edges]
    return json.dumps({"formatVersion": "1.0", "fleet": drawing.fleet, "nodes": nodes, "edges": edges}, indent=2) + "\n"


def _quoted(text: str) -> str:
    r"""A quoted dot string; a backslash would begin an escape such as `\N`."""
    return '"' + visible(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
