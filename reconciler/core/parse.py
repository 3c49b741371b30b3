"""Parse: the files of a source become the fleet. Nothing is raised, nothing is thrown away, nothing hides anything else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconciler.core.codes import documents, specs
from reconciler.core.codes import fleet as codes
from reconciler.core.envelope import envelope, named_as_path
from reconciler.core.fleet_file import declared_values, read_fleet
from reconciler.core.layout import ROOT, Slot, layout
from reconciler.core.load import load
from reconciler.core.suggest import did_you_mean
from reconciler.core.validate import validate
from reconciler.core.values import OPEN, may_mention, mentions, substitute
from reconciler.model.documents import Document, SourceTree
from reconciler.model.findings import Finding, Place, ordered
from reconciler.model.fleet import Fleet, Resource
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref
from reconciler.model.spec import Spec

_MOST = 50
"""Findings of one file that are shown."""


def parse(tree: SourceTree, kinds: tuple[Kind, ...], before: Graph | None = None) -> Fleet:
    """All that the source declares, and everything that is wrong with it. References are not looked at.

    A file that says to the letter what it said in the graph `before`, of the same kinds, is the resource that it was.
    """
    head = read_fleet(tree)
    values = declared_values(head)
    known = before if before is not None and before.fleet.spec is not None and before.fleet.spec.values == values else None
    findings: list[Finding] = [*head.findings]
    resources: dict[Ref, Resource[Spec]] = {}
    broken: set[Ref] = set()
    slots = layout(tree.files, tree.refused, kinds)
    if not any(slot.path.startswith(ROOT) for slot in slots):
        findings.append(
            codes.NO_SPECS.at(
                Place("specs"), "there is no spec under `specs/`", "run it where `fleet.yaml` is; `fleet init` writes a first"
            )
        )
    for slot in slots:
        data = tree.files.get(slot.path)
        if known is not None and (same := _unchanged(slot, data, known)) is not None:
            resources[slot.ref] = same
            continue
        resource, found = _resource(slot, data, values)
        findings += _bounded(slot, found)
        if resource is None:
            broken.add(slot.ref)
        else:
            resources[slot.ref] = resource
    whole = {ref: resources[ref] for ref in sorted(resources) if ref not in broken}
    return Fleet(head.name, head.spec, head.document, whole, frozenset(broken), ordered(findings))


def _unchanged(slot: Slot, data: bytes | None, before: Graph) -> Resource[Spec] | None:
    """What this very text in this very place was found to be. Only what nothing was wrong with is a resource at all."""
    if data is None or slot.findings or before.documents.get(slot.path) != data:
        return None
    return before.fleet.resources.get(slot.ref)


def _resource(slot: Slot, data: bytes | None, values: Mapping[str, Any] | None) -> tuple[Resource[Spec] | None, Collection[Finding]]:
    if data is None or slot.kind is None:
        return None, slot.findings
    loaded = load(slot.path, data, slot.ref)
    if not isinstance(loaded.value, dict):
        shape = specs.WRONG_TYPE.at(Place(slot.path, 1, 1), "must be a mapping", "begin with `apiVersion:`", slot.ref)
        return None, (*slot.findings, *(loaded.findings or (shape,)))
    document = Document(slot.ref, slot.path, loaded.value, loaded.marks)
    metadata, wrong = envelope(document, slot.kind.name)
    if not slot.findings:
        wrong = (*wrong, *named_as_path(document, metadata))
    spec, unfit = _filled(document, slot.kind.spec, values) if may_mention(data) else _plain(document, slot.kind.spec)
    found = (*slot.findings, *_unless_told((*wrong, *unfit), loaded.findings), *loaded.findings)
    if found or metadata is None or spec is None:
        return None, found
    return Resource(slot.ref, spec, metadata.labels, metadata.annotations, document), ()


def _plain(document: Document, model: type[Spec]) -> tuple[Spec | None, tuple[Finding, ...]]:
    """The spec as it is written."""
    return validate(model, document.value["spec"], document, ("spec",)) if "spec" in document.value else (None, ())


def _filled(document: Document, model: type[Spec], values: Mapping[str, Any] | None) -> tuple[Spec | None, tuple[Finding, ...]]:
    """The spec with the fleet's default values filled in. While nobody can say what the values are, specs that need them wait."""
    value = document.value.get("spec")
    mentioned = list(mentions(value, ("spec",)))
    if not mentioned:
        return _plain(document, model)
    if values is None:
        return None, ()
    unknown = []
    for pointer, name in mentioned:
        if name == OPEN:
            place, message = document.place(pointer), "`${env.` is not closed"
            unknown.append(codes.UNKNOWN_VALUE.at(place, message, "write `${env.NAME}`; for the text itself, `$${env.`", document.ref))
        elif name not in values:
            fix = did_you_mean(name, values, f"declare `{name}` with a default under `values` in fleet.yaml")
            unknown.append(codes.UNKNOWN_VALUE.at(document.place(pointer), f"the fleet declares no value `{name}`", fix, document.ref))
    spec, wrong = validate(model, substitute(value, values), document, ("spec",))
    return (None if unknown else spec), (*unknown, *_unless_told(wrong, unknown))


def _bounded(slot: Slot, findings: Collection[Finding]) -> Iterable[Finding]:
    if len(findings) < _MOST:
        return findings
    more = documents.MORE.at(Place(slot.path), f"not all findings of this file are shown, only {_MOST}", "mend the first ones", slot.ref)
    return (*ordered(findings)[:_MOST], more)


def _unless_told(findings: Iterable[Finding], told: Iterable[Finding]) -> Iterator[Finding]:
    """What is not a mere consequence of a finding on the same line."""
    lines = {finding.place.line for finding in told}
    return (finding for finding in findings if finding.place.line not in lines)
