"""Contexts as `fleet lint` looks at them: Dockerfiles held against specs, files against what a context may have."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.core.contexts import contexts, folders
from pipelines.core.dockerfile.closing import Inherited, settled
from pipelines.core.dockerfile.context import Entry, lint_context
from pipelines.core.dockerfile.lint import Around, lint
from pipelines.core.dockerfile.parse import parse
from pipelines.core.ignore import kept
from pipelines.core.targets import targets
from pipelines.model.recipe import Files, FromImage, Target
from reconciler.core.trees import LINK
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.ports import SourceUnavailable
from reconciler.shell.refusal import Refusal
from reconciler.shell.workspace import Workspace


def findings(workspace: Workspace, graph: Graph) -> Iterator[Finding]:
    """Findings on every context. Where there is none, nothing is read."""
    every = targets(graph)
    wanted = folders(every)
    if not wanted:
        return
    try:
        files = workspace.source.contexts(wanted)
    except SourceUnavailable as gone:
        raise Refusal(str(gone), gone.fix) from None
    yield from found(every, contexts(every, files), graph, workspace)


def found(all: tuple[Target, ...], seen: dict[str, Files], graph: Graph, workspace: Workspace) -> Iterator[Finding]:
    """Findings on contexts that are read already, parents first: what an image settles its children inherit."""
    inherited: dict[str, Inherited] = {}
    parents = {target.start.name for target in all if isinstance(target.start, FromImage)}
    names = frozenset(target.name for target in all)
    for target in all:
        above = inherited.get(target.start.name, Inherited()) if isinstance(target.start, FromImage) else Inherited()
        files = kept(seen.get(target.name, {}), target.dockerfile)
        if target.context is None:
            continue
        pointer = ("spec", "context") if target.ref.kind == "Image" else ("spec", "build", "context")
        place = graph.resources[target.ref].document.place(pointer)
        entries = [
            Entry(path, len(file.data), file.data.decode(errors="replace") if file.mode == LINK else None) for path, file in files.items()
        ]
        yield from lint_context(target.context, target.dockerfile, entries, target.ref, place)
        if target.dockerfile in files:
            text, path = files[target.dockerfile].data.decode(errors="replace"), f"{target.context}/{target.dockerfile}"
            around = Around(target.ref, target.literal, workspace.today, target.args, names, above, target.name not in parents)
            yield from lint(text, path, around)
            inherited[target.name] = settled(parse(text, path), above)
