"""Render: the graph's objects, each labelled as ours, with the digest of what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.core.sharing import Sharing, grafted
from reconciler.model.canonical import digest
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.manifests import (
    ENVIRONMENT_LABEL,
    KIND_LABEL,
    MANAGED_BY,
    MANAGER,
    NAME_LABEL,
    RANK,
    SOURCE_ANNOTATION,
    TENANT_LABEL,
    Draft,
    Manifest,
    identify,
)
from reconciler.model.refs import Ref


def render(graph: Graph, kinds: tuple[Kind, ...]) -> tuple[Manifest, ...]:
    """Every object that the graph stands for, in the order in which an apply writes them."""
    return ordered(render_some(graph, kinds, graph.resources))


def render_some(graph: Graph, kinds: tuple[Kind, ...], refs: Iterable[Ref]) -> Iterator[Manifest]:
    """What these resources render, in no order."""
    table = {kind.name: kind for kind in kinds}
    return (_stamped(draft, graph) for ref in refs for draft in table[ref.kind].render(graph.resources[ref], graph))


def as_before(manifests: Iterable[Manifest], before: Iterable[Manifest]) -> Iterator[Manifest]:
    """The same manifests: of what is equal the one of `before`, and of the others one copy of what they have in common with it, or each other.

    One after the other, as they are rendered, so that what is not kept is let go at once.
    """
    known, share = {manifest.id: manifest for manifest in before}, Sharing()
    for new in manifests:
        old = known.get(new.id)
        if old is None:
            yield replace(new, body=share(new.body))
        else:
            yield old if old == new else replace(new, body=grafted(new.body, old.body))


def ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """In the order in which an apply writes them."""
    return tuple(sorted(manifests, key=lambda one: (one.stage, one.wave, RANK[one.id.group, one.id.kind], one.id)))


def _stamped(draft: Draft, graph: Graph) -> Manifest:
    body: dict[str, Any] = draft.body
    metadata = body["metadata"]
    owner = graph.resources[draft.owner]
    metadata["labels"] = {**metadata.get("labels", {}), **labels(draft.owner, graph.environment.id)}
    metadata["annotations"] = {**metadata.get("annotations", {}), SOURCE_ANNOTATION: owner.document.path}
    return Manifest(identify(body), body["apiVersion"], body, digest(body), draft.owner, draft.stage, draft.wave)


def labels(owner: Ref, environment_id: str) -> dict[str, str]:
    """The labels by which we find an object again."""
    found = {
        MANAGED_BY: MANAGER,
        ENVIRONMENT_LABEL: environment_id,
        KIND_LABEL: owner.kind,
        NAME_LABEL: owner.name,
    }
    return {**found, TENANT_LABEL: owner.tenant} if owner.tenant else found


def owner_of(labels: Mapping[str, str]) -> Ref:
    """The reference of the spec that an object's labels name."""
    return Ref(labels.get(KIND_LABEL, ""), labels.get(NAME_LABEL, ""), labels.get(TENANT_LABEL, ""))
