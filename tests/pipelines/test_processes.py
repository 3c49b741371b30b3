"""A program that we ended is gone when we say so, whatever it was saying."""

import asyncio
import os
import signal

from pipelines.adapters.processes import ended, kill

FULL = 0.3
"""Seconds in which `yes` fills every buffer there is."""


async def talker() -> asyncio.subprocess.Process:
    """Says more than anybody reads."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("yes", stdout=pipe, stderr=pipe, start_new_session=True)
    await asyncio.sleep(FULL)
    return process


async def test_the_end_of_a_program_is_seen_although_nobody_read_what_it_said() -> None:
    process = await talker()
    kill(process.pid)
    assert await ended(process) == -signal.SIGKILL


async def test_it_is_seen_also_where_somebody_else_reads_the_rest() -> None:
    process = await talker()
    assert process.stdout
    reader = asyncio.create_task(process.stdout.read())
    await asyncio.sleep(0)
    os.killpg(process.pid, signal.SIGKILL)
    assert await ended(process) == -signal.SIGKILL
    assert (await reader).startswith(b"y\n")
