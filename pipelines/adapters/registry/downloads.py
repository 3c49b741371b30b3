"""Reads blobs, as streams of constant memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from pipelines.adapters.registry.failures import fault, refusal, unreachable
from pipelines.adapters.registry.quick import httpx
from pipelines.adapters.registry.streams import checked
from pipelines.adapters.registry.transport import Ask, Transport
from pipelines.adapters.registry.wire import Answer
from pipelines.model.oci import Descriptor, Repository


async def download(transport: Transport, repository: Repository, descriptor: Descriptor) -> AsyncGenerator[bytes]:
    """A blob. A connection that is cut is resumed where it broke."""
    async for piece in checked(_pieces(transport, repository, descriptor), descriptor, f"{repository} sent as"):
        yield piece


async def _pieces(transport: Transport, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
    pace, host, doing = transport.wire.pace, repository.host, f"read the blob {descriptor.digest} of {repository.path}"
    done = 0
    for attempt in range(1, pace.attempts + 1):
        headers = {"Range": f"bytes={done}-"} if done else {}
        response = await transport.stream(Ask("GET", repository, f"blobs/{descriptor.digest}", doing, headers))
        if isinstance(response, Answer):
            raise fault(host, doing, refusal(response.status, response.kind, response.body))
        skip = done if response.status_code == 200 else 0  # it does not do ranges; were it lying, the digest would tell
        try:
            async for piece in response.aiter_raw():
                fresh = piece[skip:]
                skip -= len(piece) - len(fresh)
                done += len(fresh)
                if fresh:
                    yield fresh
        except httpx.TransportError as why:
            if attempt == pace.attempts:
                raise unreachable(host, doing, why) from why
            await transport.wire.rest(host, attempt)
        else:
            return
        finally:
            await response.aclose()
