"""Remembers what is in images: the packages of their SBOMs go into the ledger, where searches find them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time

from pipelines.core.sbom.bom import NotABom, components, revision
from pipelines.core.sbom.search import record
from pipelines.model.verdict import Verdict
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
