"""Thrift: a process that runs for weeks gives back what a large run took."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from asyncio.sslproto import SSLProtocol

from reconciler.model.happenings import Happening, RunEnded

ROUNDS = (5_000, 10, 10)
"""When the garbage collector looks. A command lets it look hardly ever: it ends before garbage matters."""
LARGE = 500
"""Writes from which on a run leaves something worth giving back."""
AFTER = 5.0
"""Seconds after its end: the statuses are written by then, or soon."""
_ARENA_MAX = -8
"""mallopt(3): how many arenas threads may have. Each keeps what it was given, and ours wait for each other anyway."""


READ = 32 << 10
"""Bytes that each TLS connection holds ready to read into; asyncio's are 256 KiB, and there are some fifty connections."""


def begin() -> None:
    """What was imported stays: no round of the collector looks at it again."""
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
    SSLProtocol.max_size = READ
    gc.collect()
    gc.freeze()
    gc.set_threshold(*ROUNDS)


class Thrift:
    """A listener: a while after each large run what it left goes back to the system."""

    def hear(self, happening: Happening) -> None:
        """Takes note of a run that ended."""
        match happening:
            case RunEnded(created=created, updated=updated, deleted=deleted) if created + updated + deleted >= LARGE:
                asyncio.get_running_loop().call_later(AFTER, give_back)
            case _:
                pass


def give_back() -> None:
    """Collects garbage, and hands free memory to the system (malloc_trim(3)) where there is such a call."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
