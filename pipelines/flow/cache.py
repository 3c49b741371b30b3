"""The keyed cache: an image under the tag of its key. Whatever cannot be looked up or used is a miss, and means build."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pipelines.core.tags import key_tag
from pipelines.flow.mirror import mirror
from pipelines.flow.reading import read_document
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Registry, RegistryFault, WrongDigest

LONGER = 2.0
"""Times as long as our own reading and writing of a tag took, before we look what stands there."""
WRITES = 2
"""Times that a tag is written: again only where what came in between cannot be used."""


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

    Registries have no compare-and-set: the tag is read right before it is written, and again later than anybody who read it before us
    is likely to write. What stands there then is what counts. This also mends an entry of the same digest that lost a blob.
    """
    clock = asyncio.get_running_loop().time
    began, stands = clock(), await _stands(registry, made, cache, key)
    if stands in (None, made):
        document = await read_document(registry, made.repository, made.digest)
        await mirror(registry, made, cache)
        for write in range(WRITES):
            if write or made.repository != cache:  # else what was read a moment ago still counts
                began, stands = clock(), await _stands(registry, made, cache, key)
            if stands:
                break
            await registry.push_manifest(cache, key_tag(key), document)
            await asyncio.sleep(LONGER * (clock() - began))
        else:
            stands = await _stands(registry, made, cache, key)
    return Settled(stands or made, is_ours=stands in (None, made))


async def _stands(registry: Registry, made: Pinned, cache: Repository, key: str) -> Pinned | None:
    """The image under the key, in the image's own repository now; None where there is none that can be used."""
    found = await look_up(registry, cache, key)
    if isinstance(found, Miss):
        return None
    taken = made if found.pinned.digest == made.digest else await take(registry, found, made.repository)
    return taken if isinstance(taken, Pinned) else None
