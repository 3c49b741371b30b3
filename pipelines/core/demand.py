"""Demand: where the fleet asks for signatures, what does not verify may not run, and what runs stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, assert_never

from pipelines.core.verification import sentence
from pipelines.model.trust import Unchecked, Verification, Verified
from reconciler.core.codes.signing import LET_THROUGH, UNVERIFIED
from reconciler.model.findings import Finding, Place
from reconciler.model.graph import Choice, Graph, Held, Locked, Missing, Unverified
from reconciler.model.holds import Hold
from reconciler.model.refs import Ref

_UNASKED = Unchecked("nobody asked the registry")


class Demanded(NamedTuple):
    """Choices that stand, and what is to be said of the others."""

    choices: Mapping[Ref, Choice]
    """Those of the graph; what does not verify is Missing, so that a plan keeps what runs."""
    findings: tuple[Finding, ...]
    """A warning for each service that is kept, and for each that an unsafe hold lets through."""


def demand(graph: Graph, results: Mapping[str, Verification]) -> Demanded:
    """The choices of the graph after `results` (by the digest of a build). Nothing changes where the environment demands nothing.

    Whatever has no result was not verified, and does not run. An unsafe hold is how people break the glass: it runs, and is told.
    """
    if not graph.environment.signing.require:
        return Demanded(graph.choices, ())
    choices: dict[Ref, Choice] = {}
    findings: list[Finding] = []
    for ref, choice in graph.choices.items():
        choices[ref], about = _judged(graph, ref, choice, results)
        findings += about
    return Demanded(choices, tuple(findings))


def _judged(graph: Graph, ref: Ref, choice: Choice, results: Mapping[str, Verification]) -> tuple[Choice, list[Finding]]:
    hold: Hold | None = None
    result: Verification
    match choice:
        case Locked(build=build):
            name, result = build.tag, results.get(build.digest, _UNASKED)
        case Held(build=build, hold=hold):
            name, result = build.tag, results.get(build.digest, _UNASKED)
        case Unverified(tag=name, hold=hold):
            result = Unchecked("a tag does not say which build it stands for")
        case Missing():
            return choice, []
        case _:
            assert_never(choice)
    if isinstance(result, Verified):
        return choice, []
    says, fix = sentence(result)
    if hold is not None and hold.unsafe:
        message = f"{name} {says}; the hold lets it run{_whose(hold)}"
        return choice, [LET_THROUGH.at(_place(graph, ref, "forceImageTag"), message, f"fleet release {ref.short}", ref)]
    message = f"{name} {says}"
    return Missing(message), [UNVERIFIED.at(_place(graph, ref, "image"), message, fix, ref)]


def _whose(hold: Hold) -> str:
    why = ", ".join(filter(None, (hold.by and f"by {hold.by}", hold.reason)))
    return f" ({why})" if why else ""


def _place(graph: Graph, ref: Ref, field: str) -> Place:
    return graph.resources[ref].document.place(("spec", field))
