"""Facts: what a pass found out about one resource beyond what git says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NamedTuple

from reconciler.core.health import Health
from reconciler.model.findings import Finding
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass


class Approval(NamedTuple):
    """What a person is asked for."""

    hash: str
    """What the approval binds to."""
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a pass found of one resource. Empty: it is in force, and nothing is wrong with it."""

    revision: str = ""
    """The commit in force."""
    generation: int | None = None
    """Of its custom resource; a projector fills it in."""
    health: Mapping[ObjectId, Health] = field(default_factory=dict)
    """Of its objects, those that are worth waiting for."""
    failures: tuple[str, ...] = ()
    """Writes and dry-runs that were refused, as sentences."""
    awaiting: str = ""
    """Which wave it waits behind, and why, as a sentence."""
    approval: Approval | None = None
    conflict: tuple[str, ...] = ()
    """Field managers that keep writing its fields."""
    paused: str | None = None
    """None: it is not. Empty: until somebody resumes it. Else the moment (RFC 3339) when it goes on."""
    repaired: bool = False
    """This pass undid drift of its objects."""
    wrote: bool = False
    """This pass wrote something of it that is no repair."""
    findings: tuple[Finding, ...] | None = None
    """The findings about it; None: look them up in the graph, which takes as long as there are findings. A projector fills them in."""


def by_subject(findings: Iterable[Finding]) -> Mapping[Ref, tuple[Finding, ...]]:
    """Findings by what they are about."""
    found: dict[Ref, list[Finding]] = {}
    for finding in findings:
        if finding.subject is not None:
            found.setdefault(finding.subject, []).append(finding)
    return {ref: tuple(those) for ref, those in found.items()}
