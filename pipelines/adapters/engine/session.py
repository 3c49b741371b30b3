"""One session with a Dagger engine: the CLI's process, the SDK's client on top, and everything that they print.

The SDK can start the CLI itself; it then waits for it without end on the event loop's thread, for the start and for the close. So this is done here.
Nothing here imports `dagger` (0.6 s) before a session starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, TypeVar

from pipelines.adapters.engine import cli
from pipelines.adapters.engine.address import CLI, Tool, address
from pipelines.adapters.engine.probe import probe
from pipelines.adapters.processes import ended
from pipelines.ports import BuilderMissing, BuildFailed, Log

if TYPE_CHECKING:
    import dagger

T = TypeVar("T")

START = 20.0
"""Seconds for a session with an engine that listens; one that has to be started may have to be downloaded first."""
GOODBYE = 5.0
"""Seconds that the CLI may take to say the rest; then it is ended."""
HURRY = 0.5
SILENCE = 0.25
"""Seconds without a line after which a build's last line has been seen; they arrive after its result."""
WATCH = 3.0
"""Seconds between two questions to the engine whether it is still there."""


class Session:
    """A running session. One build uses it at a time, so every line that it prints belongs to that build."""

    def __init__(self, process: asyncio.subprocess.Process, environment: Mapping[str, str]) -> None:
        self._process = process
        self._environment = environment
        self._tail: deque[str] = deque(maxlen=200)
        self._said = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._stack = contextlib.AsyncExitStack()
        self.client: dagger.Client
        self.engine = ""
        """The engine's version, as it says itself."""
        self.log: Log | None = None

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def last_lines(self, count: int = 40) -> str:
        return "\n".join(list(self._tail)[-count:])

    async def _read(self) -> None:
        assert self._process.stderr
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # a line longer than a megabyte; what is left of it follows
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self._tail.append(text)
            self._said.set()
            if self.log and text:
                self.log(text)

    async def connect(self, port: int, token: str) -> None:
        """Connects the SDK's client; without its retries, which would go on for 16 s against an engine that is gone."""
        import dagger
        from dagger.client._config import ConnectConfig
        from dagger.client._session import ConnectParams, SingleConnection  # as `dagger.connection` does once the CLI runs

        settings = ConnectConfig(retry=None)
        connection = SingleConnection(ConnectParams(port=port, session_token=token), settings)
        await self._stack.enter_async_context(connection)
        self.client = dagger.Client.from_connection(connection)
        self.engine = await self.client.version()

    async def settled(self) -> None:
        """Returns when the last lines of what has ended are there, within a second or so."""
        for _ in range(4):
            self._said.clear()
            try:
                await asyncio.wait_for(self._said.wait(), SILENCE)
            except TimeoutError:
                return

    async def watched(self, work: Awaitable[T]) -> T:
        """The result of `work`, unless the CLI or the engine goes away meanwhile: then BuilderMissing, within seconds."""
        task = asyncio.ensure_future(work)
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise watch.exception() or AssertionError("the watch ends by a fault alone")
        finally:
            for one in (task, watch):
                one.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    async def _watch(self) -> None:
        where = address(self._environment)
        gone = asyncio.create_task(self._process.wait())
        try:
            while True:
                done, _ = await asyncio.wait({gone}, timeout=WATCH)
                if done:
                    raise BuilderMissing(
                        f"the Dagger CLI ended with exit code {gone.result()} in the middle of a build", log=self.last_lines()
                    )
                if not isinstance(where, Tool):
                    await probe(where, self._environment)
        finally:
            gone.cancel()

    async def close(self, patience: float | None = None) -> None:
        """Ends the session; what it runs in the engine ends with it. Bounded by `patience` (GOODBYE) and a second, whatever the engine does."""
        patience = GOODBYE if patience is None else patience
        with contextlib.suppress(Exception):
            async with asyncio.timeout(min(patience, 2.0)):
                await self._stack.aclose()
        if self._process.stdin:
            self._process.stdin.close()
        for after, sign in ((patience, signal.SIGTERM), (HURRY, signal.SIGKILL)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after):
                    await self._process.wait()
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
        await ended(self._process)
        await asyncio.wait({self._reader}, timeout=HURRY)
        self._reader.cancel()


async def start(environment: Mapping[str, str], log: Log | None = None) -> Session:
    """Probes the engine, starts the CLI and connects; BuilderMissing where any of them does not work, within a bounded time."""
    where = address(environment)
    await probe(where, environment)
    process = await cli.spawn(environment)
    session = Session(process, environment)
    session.log = log
    try:
        async with asyncio.timeout(cli.DOWNLOAD if isinstance(where, Tool) and where.starts else START):
            _, (port, token) = await asyncio.gather(asyncio.to_thread(_load), _parameters(process, session))
            await session.connect(port, token)
    except BuildFailed:
        await session.close(HURRY)
        raise
    except TimeoutError:
        await session.close(HURRY)
        raise BuilderMissing("the Dagger engine does not start a session", "see its log", log=session.last_lines()) from None
    except BaseException as fault:
        await asyncio.shield(session.close(HURRY))
        if not isinstance(fault, Exception):
            raise
        raise BuilderMissing(f"the Dagger engine does not start a session: {fault}", "see its log", log=session.last_lines()) from fault
    return session


def _load() -> None:
    """Imports the SDK beside the loop, which then still hears Ctrl-C."""
    import dagger  # noqa: F401


async def _parameters(process: asyncio.subprocess.Process, session: Session) -> tuple[int, str]:
    """What the CLI prints once it has a session: `{"port": N, "session_token": "..."}`."""
    assert process.stdout
    line = await process.stdout.readline()
    try:
        said = json.loads(line)
        return int(said["port"]), str(said["session_token"])
    except (ValueError, KeyError, TypeError):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HURRY):
                await process.wait()
        why = session.last_lines(1) or f"it printed {line[:80]!r}"
        raise BuilderMissing(
            f"the Dagger CLI has no session: {why}", f"see that {CLI} is a `dagger` program of 0.21", log=session.last_lines()
        ) from None
