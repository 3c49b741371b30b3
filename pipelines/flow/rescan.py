"""Judges again what is built: the SBOM that stands beside an image, against the vulnerabilities that are known today."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pipelines.core.attestation import read_statement
from pipelines.core.judge import judge
from pipelines.core.predicate import NotAVerdict, read_verdict
from pipelines.core.report import Unreadable, read_report
from pipelines.core.rescan import attribution
from pipelines.core.sbom.bom import NotABom
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.flow.reading import read_image
from pipelines.model.oci import Descriptor, Pinned
from pipelines.model.trust import CYCLONEDX, IN_TOTO, Malformed
from pipelines.model.verdict import Policy, Subject, Verdict
from pipelines.ports import NoVerdict, Registry, RegistryFault, Scanner
from reconciler.model.canonical import dumps
from reconciler.model.value import dataclass

AT_ONCE = 8
"""Images whose papers are fetched at the same time."""


@dataclass(frozen=True, slots=True)
class Known:
    """An image that is in a registry, and what is known to belong to it."""

    image: str
    pinned: Pinned
    sbom: str = ""
    """Digest of its SBOM; empty where nobody wrote that down, and then what is attached counts."""
    verdict: str = ""
    """Digest of the statement of its verdict; empty for none."""
    sbom_size: int = 0
    """Bytes of its SBOM; 0 where nobody wrote that down."""


@dataclass(frozen=True, slots=True)
class Again:
    """The new verdict, the one before where there is one, and the SBOM that was judged."""

    known: Known
    verdict: Verdict
    before: Verdict | None
    sbom: bytes


@dataclass(frozen=True, slots=True)
class Unjudged:
    """There is no new verdict, and why."""

    known: Known
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Judges:
    """What is needed to judge."""

    registry: Registry
    scanner: Scanner
    now: Callable[[], datetime]
    platform: str = "linux/amd64"


async def rescan(judges: Judges, all: Iterable[Known], policies: Mapping[str, Policy], jobs: int) -> tuple[Again | Unjudged, ...]:
    """Each one judged, in the order given; so many scanners at once. What cannot be judged stops no other."""
    fetching, scanning = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(jobs)

    async def one(known: Known) -> Again | Unjudged:
        try:
            async with fetching:
                sbom, before = await sbom_of(judges.registry, known), await verdict_of(judges.registry, known)
            async with scanning:
                return Again(known, await _judged(judges, known, sbom, before, policies[known.image]), before, sbom)
        except (RegistryFault, NoVerdict) as fault:
            return Unjudged(known, str(fault), fault.fix)
        except (NotABom, Unreadable) as fault:
            return Unjudged(known, f"its SBOM cannot be judged: {fault}", "build the image again")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(known)) for known in all]
    return tuple(task.result() for task in tasks)


async def sbom_of(registry: Registry, known: Known) -> bytes:
    """The SBOM of an image; the one that was written down, if one was. Raises RegistryFault."""
    if known.sbom and known.sbom_size:
        descriptor = Descriptor(CYCLONEDX, known.sbom, known.sbom_size)
        return b"".join([chunk async for chunk in registry.blob(known.pinned.repository, descriptor)])
    found = await papers.find(registry, known.pinned, CYCLONEDX)
    fitting = [one for one in found if known.sbom in ("", digest_of(one))]
    if not fitting:
        what = f"the SBOM {known.sbom[:19]}" if found else "an SBOM"
        raise RegistryFault(f"{known.pinned} has not {what} attached", "build the image again, with --force if need be", status=404)
    return fitting[0]


async def verdict_of(registry: Registry, known: Known) -> Verdict | None:
    """The verdict that was written down; None where there is none, or none that can be read. Raises RegistryFault."""
    if not known.verdict:
        return None
    for paper in await papers.find(registry, known.pinned, IN_TOTO):
        if digest_of(paper) == known.verdict:
            try:
                said = read_statement(paper)
                return read_verdict(dumps(said.predicate)) if known.pinned.digest in said.subjects else None
            except (Malformed, NotAVerdict):
                return None
    return None


async def _judged(judges: Judges, known: Known, sbom: bytes, before: Verdict | None, policy: Policy) -> Verdict:
    scanned = await judges.scanner.rescan(sbom)
    report = read_report(scanned.report, scanned.scanner, scanned.database)
    size = before.size if before else await _size(judges, known.pinned)
    return judge(report, policy, Subject(known.image, attribution(sbom, before), size), judges.now().date())


async def _size(judges: Judges, pinned: Pinned) -> int:
    image = await read_image(judges.registry, pinned.repository, pinned.digest, judges.platform)
    return sum(layer.size for layer in image.manifest.layers)
