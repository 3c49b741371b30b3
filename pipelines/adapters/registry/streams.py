"""Streams whose last piece moves only when digest and size are right."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from pipelines.core.tally import Tally
from pipelines.model.oci import Descriptor
from pipelines.ports import WrongDigest


async def checked(chunks: AsyncIterator[bytes], descriptor: Descriptor, what: str) -> AsyncGenerator[bytes]:
    """The same bytes, one piece late; WrongDigest instead of the last one where they are not what the descriptor says."""
    tally, held = Tally(descriptor), b""
    try:
        async for chunk in chunks:
            tally.add(chunk)
            if tally.overflow:
                break
            if held:
                yield held
            held = chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    if tally.complaint:
        raise WrongDigest(f"{what} {descriptor.digest}: {tally.complaint}", "nothing of it was used")
    if held:
        yield held
