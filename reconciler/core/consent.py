"""Consent: what a rule of the policy blocks comes into force once a person has said yes to exactly that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from reconciler.core.approval import Question, names, question
from reconciler.core.facts import by_subject
from reconciler.core.view import View
from reconciler.model.canonical import digest
from reconciler.model.findings import Finding, Severity, errors
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref


class Consent(NamedTuple):
    """What of the policy's findings is left once people were heard."""

    findings: tuple[Finding, ...]
    """All of them; what was agreed to blocks no more."""
    asked: tuple[Question, ...]
    """What waits for a person."""
    given: Mapping[str, str]
    """By the resource, the hash of what was agreed to of it. Of what is not declared any more, nothing."""


def consent(graph: Graph, kinds: tuple[Kind, ...], findings: tuple[Finding, ...], given: Mapping[str, str]) -> Consent:
    """Hears what people have agreed to before: `given` as it was returned last, with what was agreed to since.

    A yes is to one resource in one environment, as rules see its spec, and to the rules that block it, as they word it.
    """
    blocking = {ref: those for ref, those in by_subject(errors(findings)).items() if ref in graph.resources}
    declared = {str(ref) for ref in (*graph.fleet.resources, *graph.fleet.broken)} if given else frozenset[str]()
    still = {owner: given[owner] for owner in given if owner in declared}
    view = View(graph, kinds)
    hashes = {ref: _hash(view, ref, blocked) for ref, blocked in blocking.items()}
    agreed = {ref for ref in hashes if names(still.get(str(ref), ""), hashes[ref])}
    asks = graph.environment.sync.approval != "none"
    asked = tuple(_asked(ref, hashes[ref], blocked) for ref, blocked in blocking.items() if ref not in agreed and asks)
    heard = tuple(_agreed_to(one) if one.is_error and one.subject in agreed else one for one in findings)
    return Consent(heard, asked, still)


def with_approval(asked: Iterable[Question], given: Mapping[str, str], approved: str) -> Mapping[str, str]:
    """What is agreed to once an approval has come, if it is of anything that is asked."""
    return {**given, **{owner: one.hash for one in asked if names(approved, one.hash) for owner in one.owners}}


def _hash(view: View, ref: Ref, blocked: Iterable[Finding]) -> str:
    rules = sorted((one.code, one.message) for one in blocked)
    return digest([view.graph.environment.id, str(ref), view.object(ref).value, rules])


def _asked(ref: Ref, hash: str, blocked: Sequence[Finding]) -> Question:
    rules = ", ".join(sorted({one.code for one in blocked}))
    return question(
        hash, f"the policy keeps {ref} as it is ({rules} at {blocked[0].place})", [str(ref)], "; if it is to go on all the same"
    )


def _agreed_to(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING, message=f"{finding.message} (approved)")
