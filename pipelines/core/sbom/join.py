"""Joins the SBOMs of an image's platforms to the one of its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.core.sbom.bom import load
from reconciler.model.canonical import dumps

PLATFORM = "fleetwright:platform"
"""Property of a component that not every platform has: one of those that have it."""


def join(boms: Mapping[str, bytes], image: str) -> bytes:
    """What `outside` takes, out of SBOMs by platform: what all have stands in it once. Raises NotABom."""
    components: dict[str, dict[str, Any]] = {}
    edges: dict[str, set[str]] = {}
    read = {platform: load(data) for platform, data in sorted(boms.items())}
    common = set.intersection(*({dumps(one) for one in bom.get("components") or ()} for bom in read.values()))
    for platform, bom in read.items():
        own = str(((bom.get("metadata") or {}).get("component") or {}).get("bom-ref", ""))
        refs = {own: "image"}
        for one in bom.get("components") or ():
            ref = str(one.get("bom-ref", ""))
            refs[ref] = ref if dumps(one) in common else f"{ref}#{platform}"
            components[refs[ref]] = {**one, "bom-ref": refs[ref], **({} if dumps(one) in common else _marked(one, platform))}
        for ref, ends in _edges(bom):
            if ref in refs:
                edges.setdefault(refs[ref], set()).update(refs[end] for end in ends if end in refs)
    return dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": next(iter(read.values()))["specVersion"],
            "version": 1,
            "metadata": {"component": {"bom-ref": "image", "type": "container", "name": image}},
            "components": [components[ref] for ref in sorted(components)],
            "dependencies": [{"ref": ref, "dependsOn": sorted(edges[ref])} for ref in sorted(edges)],
        }
    )


def _marked(one: Mapping[str, Any], platform: str) -> dict[str, Any]:
    return {"properties": [*(one.get("properties") or ()), {"name": PLATFORM, "value": platform}]}


def _edges(bom: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for one in bom.get("dependencies") or ():
        yield str(one.get("ref", "")), [str(end) for end in one.get("dependsOn") or ()]
