"""One subprocess whose end is the end of everything it started, and whose mounts nobody else ever sees."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.ports import BuilderMissing

LAST = 40
"""Lines of output that an error shows."""
ENDS = re.compile(r"\r\n|\n|\r")
LONGEST = 8192
"""Characters of one line; what is longer comes in several."""
LOOPBACK = (
    "import fcntl, os, socket, struct, sys\n"
    "with socket.socket() as s: fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0x41))\n"  # SIOCSIFFLAGS: UP, RUNNING
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a subprocess ended."""

    status: int
    last: tuple[str, ...]
    """The end of what it printed."""

    @property
    def log(self) -> str:
        return "\n".join(self.last)


def tied(command: list[str]) -> list[str]:
    """The command so that it dies with us, however we die."""
    if not shutil.which("setpriv") or not shutil.which("unshare"):
        raise BuilderMissing("there is no setpriv or no unshare, which programs are run through", "apt-get install util-linux")
    return ["setpriv", "--pdeathsig", "KILL", *command]


def enclosed(command: list[str], *, network: bool = True) -> list[str]:
    """The command so that it dies with us, and as root with mounts and processes of its own that go when it goes."""
    if os.geteuid():
        return tied(command)
    alone = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if network:
        return tied([*alone, *command])
    return tied([*alone, "--net", sys.executable, "-I", "-c", LOOPBACK, *command])


async def ran(command: list[str], environment: Mapping[str, str], log: Callable[[str], None], cwd: Path) -> Finished:
    """Run a command to its end, its lines to `log` as they come. Cancelling kills it and all that it started, before this returns."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=LAST)
    try:
        assert process.stdout is not None
        async for line in lines(process.stdout):
            last.append(line)
            log(line)
        return Finished(await process.wait(), tuple(last))
    finally:
        if process.returncode is None:
            kill(process.pid)
            await asyncio.shield(ended(process))


async def ended(process: asyncio.subprocess.Process) -> int:
    """The status of a process that was killed with all that it started, once it is gone.

    asyncio tells of an end only when the pipes are at theirs, and does not read one of which nobody takes anything: so what is left in them is
    read, and let go.
    """
    await asyncio.gather(*(_let_go(stream) for stream in (process.stdout, process.stderr) if stream))
    return await process.wait()


async def _let_go(stream: asyncio.StreamReader) -> None:
    with suppress(RuntimeError):  # somebody reads it
        while await stream.read(1 << 16):
            pass


def kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines as they come; also ones that end in a carriage return, as progress bars do, and ones without end."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    while chunk := await stream.read(1 << 16):
        *whole, rest = ENDS.split(rest + decode(chunk))
        if len(rest) > LONGEST:
            whole.append(rest)
            rest = ""
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest
