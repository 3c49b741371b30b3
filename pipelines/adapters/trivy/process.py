"""Process: Trivy as a child that ends with whoever waits for it, within limits of time, memory and output."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.adapters.processes import ended, kill
from pipelines.ports import NoVerdict

_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that it may take, bytes of address space that it may reserve, and bytes that it may print."""

    seconds: float
    memory: int
    output: int


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended, what it printed, and the last that it said beside that."""

    status: int
    out: bytes
    err: str


async def run(command: Sequence[str], folder: str, environment: Mapping[str, str], limits: Limits) -> Done:
    """Run it in this folder with this environment and nothing else. Raises NoVerdict for what cannot start and for each limit."""
    async with _process(command, folder, environment) as process:
        _limit(process.pid, limits.memory)
        return await _answer(process, limits)


async def _answer(process: asyncio.subprocess.Process, limits: Limits) -> Done:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(limits.seconds):
            err = asyncio.create_task(_last(process.stderr))
            try:
                out = await _whole(process.stdout, limits.output)
                return Done(await process.wait(), out, await err)
            finally:
                err.cancel()
    except TimeoutError:
        fix = "give it more time, or look at what makes the image so large"
        raise NoVerdict(f"Trivy had no answer after {limits.seconds:g} s and was ended", fix) from None


@contextlib.asynccontextmanager
async def _process(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in a session of its own; it and what it started are gone afterwards."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    start = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command, cwd=folder, env=dict(environment), stdin=nothing, stdout=pipe, stderr=pipe, start_new_session=True
        )
    )
    try:
        process = await asyncio.shield(start)
    except asyncio.CancelledError:  # asyncio itself would end the process alone, and not what it has started since
        with contextlib.suppress(OSError):
            await _end(await start)
        raise
    except OSError as fault:
        raise NoVerdict(f"Trivy cannot be started: {fault.strerror}", "install the one that is pinned, for this kind of machine") from None
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    kill(process.pid)
    await ended(process)


async def _whole(stream: asyncio.StreamReader, limit: int) -> bytes:
    chunks, size = [], 0
    while chunk := await stream.read(1 << 16):
        size += len(chunk)
        if size > limit:
            raise NoVerdict(f"Trivy printed more than {limit} bytes and was ended", "look at what is in the image; the limit is a setting")
        chunks.append(chunk)
    return b"".join(chunks)


async def _last(stream: asyncio.StreamReader) -> str:
    """The end of what it says beside its report."""
    tail = b""
    while chunk := await stream.read(1 << 16):
        tail = (tail + chunk)[-_TAIL:]
    return tail.decode("utf-8", "replace")


def _limit(process: int, size: int) -> None:
    """Its address space. From here and not before it starts: code between fork and exec is not safe beside threads."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process, resource.RLIMIT_AS, (size, size))
