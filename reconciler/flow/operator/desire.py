"""Desire: a commit of the source as it is meant to be in one environment. Reads the source; decides by the same functions as every command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from reconciler.core.codes.lock import UNREAD
from reconciler.core.environment import environment
from reconciler.core.locking import read_lock
from reconciler.core.policy import policy
from reconciler.core.render import render
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding, understand
from reconciler.model.findings import Finding, Place, errors, ordered
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.lock import Lock
from reconciler.model.manifests import Manifest
from reconciler.model.refs import Ref
from reconciler.ports import Source, SourceUnavailable


@dataclass(frozen=True, slots=True)
class Desire:
    """What a commit asks for in one environment. Its graph has every finding of specs, lock, environment and policy."""

    revision: str
    graph: Graph
    manifests: tuple[Manifest, ...]


class NothingDesired(Exception):
    """The commit says nothing that could be applied: `fleet.yaml` does not stand, or there is no spec at all."""


def desire(source: Source, revision: str, name: str, kinds: tuple[Kind, ...], today: date) -> Desire:
    """What a commit asks for. Raises NothingDesired with a sentence, and SourceUnavailable.

    What is broken is kept, and so is what a rule of the policy blocks: such a resource is resolved again without what was wrong with it.
    """
    reading = understand(source.tree(revision), kinds)
    if reading.fleet.spec is None:
        wrong = errors(reading.findings)[0]
        raise NothingDesired(f"{wrong.place}: {wrong.code}: {wrong.message}")
    where = environment(reading.fleet, name)
    if isinstance(where, Finding):
        raise NothingDesired(f"{where.place}: {where.code}: {where.message}")
    if not reading.fleet.resources:
        raise NothingDesired("there is no spec that stands; an empty source changes nothing")
    graph = _resolved(source, revision, reading, where, kinds, today)
    return Desire(revision, graph, render(graph, kinds))


def _resolved(source: Source, revision: str, reading: Understanding, where: Environment, kinds: tuple[Kind, ...], today: date) -> Graph:
    lock, about_lock = _lock(source, revision, reading, where)
    found = reading.findings

    def resolved(findings: tuple[Finding, ...]) -> Graph:
        return resolve(reading.fleet, kinds, reading.linking, where, lock, reading.tree, today, findings=findings)

    graph = resolved(found)
    rules = policy(graph, kinds, today)
    if any(finding.subject in graph.resources for finding in errors(rules)):
        graph = resolved((*found, *rules))
    return replace(graph, findings=ordered((*found, *about_lock, *graph.findings, *rules)))


def _lock(source: Source, revision: str, reading: Understanding, where: Environment) -> tuple[Lock, tuple[Finding, ...]]:
    data = reading.tree.files.get(where.lock)
    if data is None:
        try:
            data = source.read(where.lock, revision)
        except SourceUnavailable as gone:
            return Lock(), (UNREAD.at(Place(where.lock, 1, 1), str(gone), gone.fix, Ref("Lock", where.lock)),)
    return read_lock(where.lock, data) if data is not None else (Lock(), ())
