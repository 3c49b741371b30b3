"""Sends blobs, as streams of constant memory: mounted where they are already, else in one piece, else in several."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from functools import partial

from pipelines.adapters.registry.failures import fault, refusal
from pipelines.adapters.registry.streams import checked
from pipelines.adapters.registry.transport import Ask, Transport
from pipelines.adapters.registry.wire import PASSING, Answer
from pipelines.model.oci import Descriptor, Repository
from pipelines.model.reference import PATH
from pipelines.ports import Push, RegistryFault, Unreachable, WrongDigest

_BEGUN_ANEW = (*PASSING, 404, 416)
"""Statuses of an upload that another one may not meet: besides the passing ones, sessions that the registry has forgotten or mixed up."""
SMALL = 64 << 10
"""Bytes that are sent as soon as it is asked whether they are there."""
MOUNTS = 4
"""Repositories from which a mount is tried."""


async def upload(transport: Transport, repository: Repository, push: Push, session: str = "") -> bool:
    """Send it, by an upload that has begun where there is one; True. What fails on the way is begun anew."""
    pace, in_pieces = transport.wire.pace, False
    for attempt in range(1, pace.attempts + 1):
        session = session or await _begin(transport, repository, push)
        try:
            answer = await (_send_in_pieces if in_pieces else _send)(transport, repository, push, session)
        except Unreachable:
            if attempt == pace.attempts:
                raise
            answer = None
        if answer and answer.status == 201:
            _confirmed(repository, push.descriptor, answer)
            return True
        too_large = answer is not None and answer.status == 413 and not in_pieces and push.descriptor.size > pace.chunk
        again = (*_BEGUN_ANEW, 401) if in_pieces else _BEGUN_ANEW  # a piece cannot be sent twice, not even with a new token
        if answer and not too_large and (answer.status not in again or attempt == pace.attempts):
            raise _refused(repository, push, answer)
        in_pieces, session = in_pieces or too_large, ""
        await transport.wire.rest(repository.host, attempt, answer)
    raise Unreachable(f"{repository.host} took no upload of {push.descriptor.digest}")


async def mount(transport: Transport, repository: Repository, push: Push) -> str | None:
    """None when the registry took it from a repository that has it; else an upload that a registry began instead, or an empty string."""
    session = ""
    sources = [
        source for source in push.mount_from if source.host == repository.host and source != repository and PATH.fullmatch(source.path)
    ]
    for source in sources[:MOUNTS]:
        query = f"blobs/uploads/?mount={push.descriptor.digest}&from={source.path}"
        doing = f"mount {push.descriptor.digest} of {source.path} in {repository.path}"
        ask = Ask("POST", repository, query, doing, {"Content-Length": "0"}, actions="pull,push", also=(source,))
        with suppress(RegistryFault):  # not being able to mount is no reason not to upload
            answer = await transport.ask(ask)
            if answer.status == 201:
                return None
            if answer.status == 202:
                await abandon(transport, repository, session)
                session = transport.resolve(ask, answer.headers.get("location", ""), "upload")
    return session


async def _begin(transport: Transport, repository: Repository, push: Push) -> str:
    ask = Ask("POST", repository, "blobs/uploads/", _doing(repository, push), {"Content-Length": "0"}, actions="pull,push")
    answer = await transport.ask(ask)
    if answer.status != 202:
        raise _refused(repository, push, answer)
    return transport.resolve(ask, answer.headers.get("location", ""), "upload")


async def abandon(transport: Transport, repository: Repository, session: str) -> None:
    """Give up an upload that has begun, if there is one."""
    if session:
        with suppress(RegistryFault):  # registries clean up by themselves, only later
            await transport.ask(Ask("DELETE", repository, session, "end an upload", actions="pull,push"))


async def _send(transport: Transport, repository: Repository, push: Push, session: str) -> Answer:
    """All of it in one request (distribution specification, "POST then PUT")."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(push.descriptor.size)}
    ask = Ask(
        "PUT",
        repository,
        _finish(session, push),
        _doing(repository, push),
        headers,
        content=lambda: checked(push.chunks(), push.descriptor, "what should be uploaded as"),
        actions="pull,push",
    )
    return await transport.send(ask)


async def _send_in_pieces(transport: Transport, repository: Repository, push: Push, session: str) -> Answer:
    """In pieces of a size that the registry bears (distribution specification, "Pushing a blob in chunks")."""
    doing, size = _doing(repository, push), push.descriptor.size
    async with aclosing(checked(push.chunks(), push.descriptor, "what should be uploaded as")) as chunks:
        source = _Source(chunks)
        for start in range(0, size, transport.wire.pace.chunk):
            length = min(transport.wire.pace.chunk, size - start)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(length),
                "Content-Range": f"{start}-{start + length - 1}",
            }
            ask = Ask(
                "PATCH", repository, session, doing, headers, content=partial(source.take, length), actions="pull,push", repeats=False
            )
            answer = await transport.send(ask)
            if answer.status != 202:
                return answer
            session = transport.resolve(ask, answer.headers.get("location", ""), "upload")
    return await transport.send(Ask("PUT", repository, _finish(session, push), doing, {"Content-Length": "0"}, actions="pull,push"))


class _Source:
    """Pieces of exact sizes out of a stream of any."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    async def take(self, length: int) -> AsyncIterator[bytes]:
        while length:
            piece = self._held or await anext(self._chunks)
            yield piece[:length]
            self._held = piece[length:]
            length -= len(piece) - len(self._held)


def _finish(session: str, push: Push) -> str:
    return f"{session}{'&' if '?' in session else '?'}digest={push.descriptor.digest}"


def _doing(repository: Repository, push: Push) -> str:
    return f"take the blob {push.descriptor.digest} into {repository.path}"


def _refused(repository: Repository, push: Push, answer: Answer) -> RegistryFault:
    return fault(repository.host, _doing(repository, push), refusal(answer.status, answer.kind, answer.body))


def _confirmed(repository: Repository, descriptor: Descriptor, answer: Answer) -> None:
    told = answer.headers.get("docker-content-digest", descriptor.digest)
    if told != descriptor.digest and told.startswith(descriptor.digest.partition(":")[0]):
        raise WrongDigest(f"{repository} took {descriptor.digest} and calls it {told[:80]!r}", "nothing was tagged")
