"""Sweeping: looks at all that repositories hold, and takes out what was decided. Any look that fails ends it before anything goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from pipelines.core.garbage import subject_of
from pipelines.core.manifest import BadManifest, decode
from pipelines.flow.each import each
from pipelines.model.oci import Document, ImageIndex, Repository
from pipelines.model.stored import Drop, Stored, Version
from pipelines.ports import Registry, RegistryFault, Storeroom

AT_ONCE = 8
Seen = dict[str, Stored]


class Listing:
    """The port Storeroom over the distribution specification: what tags stand for, and of digests that somebody knows, those that are there.

    There is no listing of manifests without tags in that specification.
    """

    def __init__(self, registry: Registry, known: Mapping[Repository, Collection[str]]) -> None:
        self._registry = registry
        self._known = known

    async def versions(self, repository: Repository) -> tuple[Version, ...]:
        """One HEAD a tag and a known digest."""
        names = [*await self._registry.tags(repository), *sorted(self._known.get(repository, ()))]
        heads = await each(names, lambda name: self._registry.head(repository, name), AT_ONCE)
        found: dict[str, list[str]] = {}
        for name, head in zip(names, heads, strict=True):
            if head is not None:
                found.setdefault(head.digest, []).extend([name] if ":" not in name else [])
        return tuple(Version(digest, tuple(sorted(tags))) for digest, tags in found.items())

    async def remove(self, repository: Repository, version: Version) -> None:
        """By its digest, unless a tag has come to stand for it."""
        for tag in await self._registry.tags(repository):
            if tag not in version.tags and (head := await self._registry.head(repository, tag)) and head.digest == version.digest:
                raise RegistryFault(f"{repository}@{version.digest} has got the tag {tag} meanwhile", "run it again")
        await self._registry.delete(repository, version.digest)

    async def close(self) -> None:
        """The registry is not its own."""


async def look(registry: Registry, storeroom: Storeroom, repositories: Iterable[Repository]) -> tuple[Stored, ...]:
    """Everything in these repositories: what the storeroom lists, what indexes name, and what is attached. Raises RegistryFault."""
    return tuple([one for repository in repositories for one in await _whole(registry, storeroom, repository)])


async def _whole(registry: Registry, storeroom: Storeroom, repository: Repository) -> Iterable[Stored]:
    seen: Seen = {version.digest: Stored(repository, version) for version in await storeroom.versions(repository)}

    async def read(digest: str) -> tuple[str, ...]:
        return await _read(registry, repository, seen, digest)

    due = list(seen)
    while due:
        led = await each(due, read, AT_ONCE)
        due = list(dict.fromkeys(digest for more in led for digest in more if digest not in seen))
        seen.update({digest: Stored(repository, Version(digest, ())) for digest in due})
    return seen.values()


async def _read(registry: Registry, repository: Repository, seen: Seen, digest: str) -> tuple[str, ...]:
    """Fills in one manifest; the digests that it leads to."""
    version = seen[digest].version
    document = await registry.manifest(repository, digest)
    if document is None:  # listed a moment ago, and gone
        return ()
    attached = [one.digest for one in await registry.referrers(repository, digest)]
    seen[digest] = _stored(repository, version, document)
    return (*seen[digest].children, *attached)


def _stored(repository: Repository, version: Version, document: Document) -> Stored:
    subjects = {subject_of(tag) for tag in version.tags} - {""}
    try:
        value = decode(document)
    except BadManifest:  # whatever it is, it is not ours: without a date it stays
        return Stored(repository, version, {document.digest: len(document.body)}, (), frozenset(subjects))
    if value.subject is not None:
        subjects.add(value.subject.digest)
    blobs = {document.digest: len(document.body)}
    if isinstance(value, ImageIndex):
        return Stored(repository, version, blobs, tuple(one.digest for one in value.manifests), frozenset(subjects))
    blobs |= {one.digest: one.size for one in (value.config, *value.layers)}
    return Stored(repository, version, blobs, (), frozenset(subjects))


async def clear(storeroom: Storeroom, drops: Iterable[Drop], told: Callable[[Drop], None]) -> RegistryFault | None:
    """Takes them out, one after the other in their order; the first failure ends it, and is what is returned."""
    for drop in drops:
        try:
            await storeroom.remove(drop.stored.repository, drop.stored.version)
        except RegistryFault as fault:
            return fault
        told(drop)
    return None
