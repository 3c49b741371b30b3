"""Joins the platforms of an image to an index, which is what the lock names and what others start from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipelines.core.attestation import verdict_statement
from pipelines.core.manifest import encode
from pipelines.core.predicate import predicate
from pipelines.core.sbom.join import join as join_sboms
from pipelines.core.sbom.outside import About, outside
from pipelines.core.tags import key_tag
from pipelines.core.tally import digest_of
from pipelines.core.unite import unite
from pipelines.flow.build import papers
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.mirror import mirror
from pipelines.model.oci import Descriptor, Document, ImageIndex, Pinned
from pipelines.model.outcome import Passed
from pipelines.model.trust import CYCLONEDX, VERDICT
from pipelines.ports import RegistryFault


async def join(outfit: Outfit, wish: Wish, name: str, key: str, parts: Mapping[str, Passed]) -> Passed:
    """The image of these platforms, under `key` in the cache too. The same parts give the same digest, whoever joins them.

    Raises RegistryFault, NotABom, BomInvalid.
    """
    repository, shelf, registry = wish.repository(name), wish.shelf(name), outfit.registry
    found = [await _described(outfit, platform, part) for platform, part in sorted(parts.items())]
    index = encode(ImageIndex(tuple(found)))
    pinned = Pinned(repository, index.digest)
    await registry.push_manifest(repository, index.digest, index)
    await _shelved(outfit, pinned, index, wish, name, key)
    sbom = await _sbom(outfit, wish, name, pinned, parts)
    verdict = unite([part.verdict for _, part in sorted(parts.items())])
    said = verdict_statement(pinned, digest_of(sbom), predicate(verdict))
    await papers.put(registry, pinned, [papers.sbom(sbom), papers.statement(said, VERDICT)])
    await papers.put(registry, Pinned(shelf, pinned.digest), [papers.sbom(sbom)])
    is_new = any(part.is_new for part in parts.values())
    seconds = max(part.seconds for part in parts.values())
    return Passed(pinned, key, verdict, digest_of(said), digest_of(sbom), len(sbom), is_new, seconds, parts)


async def _described(outfit: Outfit, platform: str, part: Passed) -> Descriptor:
    found = await outfit.registry.head(part.pinned.repository, part.pinned.digest)
    if found is None:
        raise RegistryFault(f"{part.pinned} is gone as soon as it was published", "does something clean up there?", status=404)
    return Descriptor(found.media_type, found.digest, found.size, platform=platform)


async def _shelved(outfit: Outfit, pinned: Pinned, index: Document, wish: Wish, name: str, key: str) -> None:
    """What stands under the keys of its platforms decides what is joined; so the index's own key follows, whatever stood there."""
    shelf = wish.shelf(name)
    there = await outfit.registry.head(shelf, key_tag(key))
    if there is None or there.digest != pinned.digest:
        await mirror(outfit.registry, pinned, shelf)
        await outfit.registry.push_manifest(shelf, key_tag(key), index)


async def _sbom(outfit: Outfit, wish: Wish, name: str, pinned: Pinned, parts: Mapping[str, Passed]) -> bytes:
    """That of the index: of an index that stood there already the one that it has, so that a second look changes nothing."""
    if there := await papers.find(outfit.registry, Pinned(wish.shelf(name), pinned.digest), CYCLONEDX):
        return there[0]
    boms = {platform: await _of_part(outfit, part) for platform, part in parts.items()}
    made: datetime = outfit.now()
    about = About(name, pinned, wish.revision, made.strftime("%Y-%m-%dT%H:%M:%SZ"), next(iter(parts.values())).verdict.scanner)
    whole = outside(join_sboms(boms, name), about, outfit.bills.license)
    outfit.bills.check(whole)
    return whole


async def _of_part(outfit: Outfit, part: Passed) -> bytes:
    for found in await papers.find(outfit.registry, part.pinned, CYCLONEDX):
        if digest_of(found) == part.sbom:
            return found
    raise RegistryFault(f"{part.pinned} has lost its SBOM", "run it again", status=404)
