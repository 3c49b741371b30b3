"""Remembers what is in images: the packages of their SBOMs go into the ledger, where searches find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time

from pipelines.core.sbom.bom import NotABom, components, revision
from pipelines.core.sbom.search import record
from pipelines.flow.each import each
from pipelines.flow.rescan import AT_ONCE, Known, sbom_of
from pipelines.model.verdict import Verdict
from pipelines.ports import Registry, RegistryFault
from reconciler.model.lock import Build
from reconciler.model.value import dataclass
from reconciler.ports import Components, ImageRecord


@dataclass(frozen=True, slots=True)
class Remembered:
    """A build, its SBOM, and what its gate last said."""

    image: str
    build: Build
    sbom: bytes
    verdict: str
    """`passed`, `failed`; with the day."""


def said(verdict: Verdict) -> str:
    """What a gate said, in two words."""
    return f"{'passed' if verdict.passed else 'failed'} {verdict.day.isoformat()}"


def remember(ledger: Components, builds: Iterable[Remembered]) -> None:
    """Note what is in each. An SBOM that cannot be read has nothing that a search could find."""
    for one in builds:
        try:
            found = components(one.sbom)
            commit = revision(one.sbom) or one.build.tag.partition("-")[2]
        except NotABom:
            continue
        since = datetime.combine(one.build.built, time(), UTC)
        ledger.keep(ImageRecord(one.build.digest, one.image, commit, one.verdict, since), [record(each) for each in found])


async def learn(registry: Registry, ledger: Components, builds: Iterable[tuple[Known, Build]]) -> Mapping[str, RegistryFault]:
    """Fetch the SBOMs of builds that passed their gate, and note what is in them. By digest, those that could not be had, and why."""
    faults: dict[str, RegistryFault] = {}

    async def one(known: Known, build: Build) -> Remembered | None:
        try:
            verdict = f"passed {build.built.isoformat()}" if build.verdict else "never judged"
            return Remembered(known.image, build, await sbom_of(registry, known), verdict)
        except RegistryFault as fault:
            faults[build.digest] = fault
            return None

    found = await each(builds, lambda pair: one(*pair), AT_ONCE)
    remember(ledger, filter(None, found))
    return faults
