"""Rescan: what a new verdict says that the one before did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.core.sbom.bom import brought, owners
from pipelines.core.tell import grouped
from pipelines.model.verdict import Judged, Stance, Verdict

NAMED = 6
"""Services of an image that are named one by one."""
_WEIGHT = {Stance.PASSES: 0, Stance.UNAFFECTED: 0, Stance.WAIVED: 0, Stance.WARNS: 1, Stance.FAILS: 2}


@dataclass(frozen=True, slots=True)
class News:
    """What became different for one image."""

    image: str
    digest: str
    new: tuple[Judged, ...]
    """Vulnerabilities that nobody knew of, or that did not matter before and do now (a waiver ended, a fix came)."""
    gone: tuple[Judged, ...]
    """Vulnerabilities that mattered and do no more."""
    passed: bool
    """By the new verdict."""
    turned: bool
    """It passed before and does not now, or the other way round."""
    services: tuple[str, ...] = ()
    """Services that run this digest."""

    @property
    def is_quiet(self) -> bool:
        """Nothing to tell."""
        return not (self.new or self.turned)


def news(digest: str, before: Verdict | None, after: Verdict, services: Iterable[str] = ()) -> News:
    """What is new since the verdict before; with none before, all that matters is."""
    then = {_key(one): one for one in before.judged} if before else {}
    now = {_key(one): one for one in after.judged}
    new = tuple(one for one in after.judged if _weight(one) > _weight(then.get(_key(one))))
    gone = tuple(one for key, one in then.items() if _weight(one) > _weight(now.get(key)) and not _weight(now.get(key)))
    turned = before is not None and before.passed is not after.passed
    return News(after.image, digest, new, gone, after.passed, turned, tuple(sorted(services)))


def attribution(sbom: bytes, before: Verdict | None) -> dict[str, str]:
    """Who brought which layer: as the SBOM says of the image or of its packages, else as the verdict before has it. Raises NotABom."""
    said = owners(sbom) or brought(sbom)
    if said or before is None:
        return said
    return {one.vulnerability.package.layer: one.owner for one in before.judged if one.vulnerability.package.layer}


def _key(one: Judged) -> tuple[str, str, str, str]:
    """The package with its version and place: the layer's digest may differ between an image and its SBOM, the rest may not."""
    package = one.vulnerability.package
    return one.vulnerability.id, package.name, package.version, package.path


def _weight(one: Judged | None) -> int:
    return _WEIGHT[one.stance] if one else 0


def _listed(services: tuple[str, ...]) -> str:
    rest = len(services) - NAMED
    return ", ".join(services[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def tell_news(all_of_it: Iterable[News], heirs: Mapping[str, int]) -> Iterator[str]:
    """Sentences: images that something runs from first, then those that fail."""
    for one in sorted(all_of_it, key=lambda one: (not one.services, one.passed, one.image)):
        if one.is_quiet:
            continue
        state = f"{'passes' if one.passed else 'fails'}{' now' if one.turned else ''}"
        runs = f"; runs in {_listed(one.services)}" if one.services else "; nothing runs it"
        yield f"{one.image} {state}: {len(one.new)} new since the verdict before{runs}"
        yield from grouped(one.new, heirs, one.image)
