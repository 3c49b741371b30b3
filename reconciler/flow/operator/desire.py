"""Desire: a commit of the source as it is meant to be in one environment. Reads the source; decides by the same functions as every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import date
from types import MappingProxyType

from reconciler.core.approval import Question
from reconciler.core.codes.lock import UNREAD
from reconciler.core.consent import Consent, consent
from reconciler.core.environment import environment
from reconciler.core.layout import ROOT
from reconciler.core.locking import read_lock
from reconciler.core.policy import policy
from reconciler.core.render import as_before, render_some
from reconciler.core.render import ordered as ordered_manifests
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding, understand
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding, Place, errors, ordered
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.lock import Lock
from reconciler.model.manifests import Manifest
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass
from reconciler.ports import CommitUnknown, Source, SourceUnavailable

NOBODY: Mapping[str, str] = MappingProxyType({})
"""Nobody has agreed to anything."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """Which commit a file was last good at: the one read before, or of what was broken by then already, an earlier one."""

    revision: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: str) -> str:
        """The commit to take a broken file from; empty where none is known."""
        return self.files.get(path, self.revision)


@dataclass(frozen=True, slots=True)
class Desire:
    """What a commit asks for in one environment. Its graph has every finding of specs, lock, environment and policy."""

    revision: str
    graph: Graph
    manifests: tuple[Manifest, ...]
    lasting: Lasting = Lasting()
    asked: tuple[Question, ...] = ()
    """What of the policy waits for a person."""
    consents: Mapping[str, str] = field(default_factory=dict)
    """By the resource, the hash of what a person has agreed to though the policy blocks it."""


class NothingDesired(Exception):
    """The commit says nothing that could be applied: `fleet.yaml` does not stand, or there is no spec at all."""


def desire(
    source: Source,
    revision: str,
    name: str,
    kinds: tuple[Kind, ...],
    today: date,
    before: Lasting,
    known: Desire | None = None,
    consents: Mapping[str, str] = NOBODY,
) -> Desire:
    """What a commit asks for. Raises NothingDesired with a sentence, and SourceUnavailable.

    What is broken, or blocked by a rule of the policy without the consent of a person, is kept: nothing is written of it. To all others it
    is as it last was, so that a typing error in one file takes no task out of its worker's schedule and no caller out of a network policy.
    `known` is an earlier commit: what did not change since then is not read again, and is the very same value.
    """
    tree, earlier = source.tree(revision), known.graph if known is not None else None
    graph, said = _graph(source, tree, name, kinds, today, earlier, consents)
    wrong = sorted({finding.place.path for finding in errors(graph.findings) if finding.place.path.startswith(ROOT)})
    lasting = Lasting(revision, {path: commit for path in wrong if (commit := before.of(path)) and commit != revision})
    good = {path: data for path, commit in lasting.files.items() if (data := _read(source, path, commit)) is not None}
    if not good:
        return Desire(revision, graph, _rendered(graph, kinds, graph.resources, known), lasting, said.asked, said.given)
    refused = {path: why for path, why in tree.refused.items() if path not in good}
    stood_in, _ = _graph(source, replace(tree, files={**tree.files, **good}, refused=refused), name, kinds, today, earlier, consents)
    everything = _rendered(stood_in, kinds, stood_in.resources, known)
    manifests = tuple(manifest for manifest in everything if manifest.owner not in graph.kept)
    resources = {ref: resource for ref, resource in stood_in.resources.items() if ref not in graph.kept}
    fleet = replace(stood_in.fleet, broken=graph.fleet.broken, findings=graph.fleet.findings)
    kept = replace(stood_in, fleet=fleet, resources=resources, kept=graph.kept, findings=graph.findings)
    return Desire(revision, kept, manifests, lasting, said.asked, said.given)


def seen_by(desire: Desire, graph: Graph, kinds: tuple[Kind, ...], before: Desire | None) -> Desire:
    """The same commit with the graph of a witness: only what has another choice is rendered again, and as `before` where it is equal."""
    if graph is desire.graph:
        return desire
    changed = {ref for ref, choice in graph.choices.items() if choice != desire.graph.choices.get(ref) and ref in graph.resources}
    others = (manifest for manifest in desire.manifests if manifest.owner not in changed)
    return replace(desire, graph=graph, manifests=ordered_manifests((*others, *_rendered(graph, kinds, changed, before))))


def _rendered(graph: Graph, kinds: tuple[Kind, ...], refs: Iterable[Ref], before: Desire | None) -> tuple[Manifest, ...]:
    return ordered_manifests(as_before(render_some(graph, kinds, refs), before.manifests if before is not None else ()))


def _graph(
    source: Source, tree: SourceTree, name: str, kinds: tuple[Kind, ...], today: date, known: Graph | None, consents: Mapping[str, str]
) -> tuple[Graph, Consent]:
    reading = understand(tree, kinds, known)
    if reading.fleet.spec is None:
        wrong = errors(reading.findings)[0]
        raise NothingDesired(f"{wrong.place}: {wrong.code}: {wrong.message}")
    where = environment(reading.fleet, name)
    if isinstance(where, Finding):
        raise NothingDesired(f"{where.place}: {where.code}: {where.message}")
    if not reading.fleet.resources:
        raise NothingDesired("there is no spec that stands; an empty source changes nothing")
    return _resolved(source, reading, where, kinds, today, known, consents)


def _resolved(
    source: Source,
    reading: Understanding,
    where: Environment,
    kinds: tuple[Kind, ...],
    today: date,
    known: Graph | None,
    consents: Mapping[str, str],
) -> tuple[Graph, Consent]:
    lock, about_lock = _lock(source, reading, where)
    found = reading.findings

    def resolved(findings: tuple[Finding, ...], before: Graph | None) -> Graph:
        return resolve(reading.fleet, kinds, reading.linking, where, lock, reading.tree, today, findings=findings, before=before)

    graph = resolved(found, known)
    said = consent(graph, kinds, policy(graph, kinds, today), consents)
    if any(finding.subject in graph.resources for finding in errors(said.findings)):
        graph = resolved((*found, *said.findings), graph)
    return replace(graph, findings=ordered((*found, *about_lock, *graph.findings, *said.findings))), said


def _lock(source: Source, reading: Understanding, where: Environment) -> tuple[Lock, tuple[Finding, ...]]:
    data = reading.tree.files.get(where.lock)
    if data is None:
        try:
            data = source.read(where.lock, reading.tree.revision)
        except SourceUnavailable as gone:
            return Lock(), (UNREAD.at(Place(where.lock, 1, 1), str(gone), gone.fix, Ref("Lock", where.lock)),)
    return read_lock(where.lock, data) if data is not None else (Lock(), ())


def _read(source: Source, path: str, commit: str) -> bytes | None:
    """A file as it was; None where it was not there, or where that commit is not there any more."""
    try:
        return source.read(path, commit)
    except CommitUnknown:
        return None
