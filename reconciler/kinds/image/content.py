"""Content: what of an image reaches its builder. Gate, waivers, budgets and audits judge a build; they do not make another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.kinds.image.spec import ImageSpec
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph


def content(resource: Resource[ImageSpec], graph: Graph) -> Any:
    """A JSON value that changes exactly when a build of this image alone would, its parent left aside."""
    spec = resource.spec
    start: dict[str, Any] = spec.from_.model_dump(mode="json", exclude_none=True)
    stand_in = graph.environment.bases.get((spec.from_.registry or "").partition("@")[0])
    if stand_in is not None:
        start["standIn"] = stand_in.model_dump(mode="json", exclude_none=True)
    built = context(graph, spec.context, spec.dockerfile, spec.args) if spec.context is not None else {}
    if spec.shared:
        built["shared"] = {folder: graph.digests.get(folder, "") for folder in spec.shared}
    return {"from": start, "platforms": spec.platforms or graph.environment.builder.platforms, "epoch": spec.epoch, **built}


def context(graph: Graph, folder: str, dockerfile: str, args: Mapping[str, str]) -> dict[str, Any]:
    """What a build context adds: its files by their digest, and what the Dockerfile is told."""
    return {"context": folder, "files": graph.digests.get(folder, ""), "dockerfile": dockerfile, "args": dict(args)}
