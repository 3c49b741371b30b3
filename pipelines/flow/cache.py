"""The keyed cache: an image under the tag of its key. Whatever cannot be looked up or used is a miss, and means build."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.core.tags import key_tag
from pipelines.flow.mirror import mirror
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Registry, RegistryFault, WrongDigest


@dataclass(frozen=True, slots=True)
class Hit:
    """An image with this key; whether all of it is there shows when it is taken."""

    pinned: Pinned


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing that can be used, and why: `not in cache`, or what went wrong."""

    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The image that counts for a key, in its own repository: ours, or that of somebody who was faster."""

    pinned: Pinned
    is_ours: bool


async def look_up(registry: Registry, cache: Repository, key: str) -> Hit | Miss:
    """One HEAD. Never raises RegistryFault: a registry that does not answer has nothing for us."""
    try:
        found = await registry.head(cache, key_tag(key))
    except RegistryFault as fault:
        return Miss(f"the cache could not be asked: {fault}")
    return Hit(Pinned(cache, found.digest)) if found else Miss("not in cache")


async def take(registry: Registry, hit: Hit, into: Repository) -> Pinned | Miss:
    """Make what was hit stand in the image's own repository. Something missing or damaged is a miss; other faults are raised."""
    try:
        return (await mirror(registry, hit.pinned, into)).pinned
    except WrongDigest as fault:
        return Miss(f"{hit.pinned} is damaged: {fault}")
    except RegistryFault as fault:
        if fault.status != 404:
            raise
        return Miss(f"{hit.pinned} is not whole any more: {fault}")


async def settle(registry: Registry, made: Pinned, cache: Repository, key: str) -> Settled:
    """Put a published image under its key, unless another stands there; then that one is taken, and counts. Raises RegistryFault.

    Registries have no compare-and-set: the tag is read before and after, and what stands there in the end is what counts.
    """
    for attempt in range(2):
        before = await look_up(registry, cache, key)
        if isinstance(before, Hit) and before.pinned.digest != made.digest:
            taken = await take(registry, before, made.repository)
            if isinstance(taken, Pinned):
                return Settled(taken, is_ours=False)
        elif attempt:
            break
        await _put(registry, made, cache, key)
    return Settled(made, is_ours=True)


async def _put(registry: Registry, made: Pinned, cache: Repository, key: str) -> None:
    """All of the image, then the tag; this also mends an entry of the same digest that lost a blob."""
    await mirror(registry, made, cache)
    document = await registry.manifest(cache, made.digest)
    if document is None:
        raise RegistryFault(f"{cache}@{made.digest} is gone as soon as it was pushed", "does something clean up there?", status=404)
    await registry.push_manifest(cache, key_tag(key), document)
