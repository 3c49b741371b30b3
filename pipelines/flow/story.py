"""Story: what a registry has about one build - why it passed, what it was made of and by whom - by the digests that the lock vouches for."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from pipelines.core.attestation import read_statement, verdict_claim
from pipelines.core.predicate import NotAVerdict, read_verdict
from pipelines.core.provenance import Origin, read_provenance
from pipelines.core.tally import digest_of
from pipelines.flow.build.papers import find
from pipelines.model.trust import IN_TOTO, VERDICT, Malformed, Subject, VerdictClaim
from pipelines.model.verdict import Verdict
from pipelines.ports import Registry
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """What is known. `open` are sentences about what is not."""

    claim: VerdictClaim | None
    verdict: Verdict | None
    """In full, with every vulnerability and waiver."""
    origin: Origin | None
    open: tuple[str, ...]


async def story(registry: Registry, subject: Subject) -> Story:
    """What hangs on a build. Only what the lock names counts, and what that names. Raises RegistryFault."""
    papers = {digest_of(one): one for one in await find(registry, subject.at, IN_TOTO)}
    if not subject.verdict:
        return Story(None, None, None, ("no lock names a verdict of it: nobody vouches for what hangs on it",))
    data = papers.get(subject.verdict)
    if data is None:
        return Story(None, None, None, ("the verdict that the lock names is not in the registry",))
    try:
        claim, full = _judged(data)
    except Malformed as bad:
        return Story(None, None, None, (str(bad),))
    origin, wrong = _origin(papers, claim)
    return Story(claim, full, origin, wrong)


def _judged(data: bytes) -> tuple[VerdictClaim, Verdict | None]:
    said = read_statement(data)
    if said.predicate_type != VERDICT:
        raise Malformed("what the lock names as its verdict is something else")
    try:
        return verdict_claim(said), read_verdict(orjson.dumps(said.predicate))
    except NotAVerdict:
        return verdict_claim(said), None


def _origin(papers: Mapping[str, bytes], claim: VerdictClaim) -> tuple[Origin | None, tuple[str, ...]]:
    if not claim.provenance:
        return None, ("its verdict names no provenance",)
    if claim.provenance not in papers:
        return None, ("the provenance that its verdict names is not in the registry",)
    try:
        return read_provenance(read_statement(papers[claim.provenance])), ()
    except Malformed as bad:
        return None, (str(bad),)
