"""The Dagger CLI: which one, and how it is started."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipelines.adapters.engine.address import CLI
from pipelines.ports import BuilderMissing

DOWNLOAD = 300.0
"""Seconds for what has to be downloaded first: the CLI, or an engine that a container tool starts."""
LINE = 1 << 20
"""Bytes of the longest line that it may print."""
QUIET = {
    "DO_NOT_TRACK": "1",
    "DAGGER_NO_UPDATE_CHECK": "1",
    "DAGGER_NO_NAG": "1",
    "DAGGER_PROGRESS": "logs",
    "NO_COLOR": "1",
}


async def spawn(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Starts `dagger session`, which prints where it listens and ends when its input does; BuilderMissing where there is no CLI."""
    cli = await find(environment)
    try:
        return await asyncio.create_subprocess_exec(
            cli,
            "session",
            "--label",
            "dagger.io/sdk.name:python",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, **QUIET},
            cwd=tempfile.gettempdir(),  # else it looks for a workspace around the folder that the user is in
            start_new_session=True,  # Ctrl-C is for us, who then end it
            preexec_fn=_die_with_us if sys.platform == "linux" else None,
            limit=LINE,
        )
    except OSError as fault:
        raise BuilderMissing(
            f"the Dagger CLI does not start: {cli}: {fault.strerror or fault}", f"set {CLI} to a `dagger` program of 0.21"
        ) from fault


def _die_with_us() -> None:
    """While it tries to reach an engine, the CLI hears neither SIGTERM nor that its input ended (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


async def find(environment: Mapping[str, str]) -> str:
    """The CLI: the one that the environment names, one on the path, or the one that the SDK keeps or downloads (with its checksum)."""
    if named := environment.get(CLI):
        return named
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        found = Path(folder) / "dagger"
        if folder and os.access(found, os.X_OK) and found.is_file() and await _right_version(found, environment):
            return str(found)
    return await _downloaded()


async def _right_version(cli: Path, environment: Mapping[str, str]) -> bool:
    """`dagger version` prints `dagger v0.21.8 (image://...) linux/amd64`."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            process = await asyncio.create_subprocess_exec(
                cli, "version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                env={**environment, **QUIET},
            )  # fmt: skip
            said, _ = await process.communicate()
            return b"v0.21." in said
    return False


async def _downloaded() -> str:
    def get() -> str:
        from dagger.provisioning._download import Downloader

        return Downloader().get_sync()

    try:
        async with asyncio.timeout(DOWNLOAD):
            return await asyncio.to_thread(get)
    except Exception as fault:
        raise BuilderMissing(f"no Dagger CLI here, and it cannot be downloaded: {fault}", f"install `dagger` 0.21, or set {CLI}") from fault
