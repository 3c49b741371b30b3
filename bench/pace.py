"""How fast the machine is while something is measured on it.

A core of a shared machine is now half as fast and now whole, for seconds at a time (its sibling thread is somebody else's), and no clock of the
guest tells: the same requests took 7.1 to 10.3 s in fourteen runs. So a loop of fixed length is timed ten times a second on each core beside
everything, in CPU time; seconds times the speed that it found are what a ratio compares. With one loop for all cores the deviation of those runs fell
from 12 % to 5 %. In a quiet hour it helps nothing (6 %, with and without): a single run is no figure.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean

_EVERY = 0.1
_LENGTH = 12_000
"""Turns of the loop: less than a millisecond."""
_noted: list[tuple[float, float]] = []
"""When, and loops a second."""


@contextmanager
def noted() -> Iterator[None]:
    """Notes the speed until the end of the block."""
    over = threading.Event()

    def note() -> None:
        cores = sorted(os.sched_getaffinity(0))
        while not over.wait(_EVERY / len(cores)):
            os.sched_setaffinity(0, {cores[len(_noted) % len(cores)]})  # of this thread alone
            _noted.append((time.monotonic(), 1 / _loop()))

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def speed(began: float, ended: float) -> float:
    """The mean speed between two moments of the monotonic clock, in loops a second; that of the nearest moment where none lies between."""
    between = [loops for at, loops in _noted if began <= at <= ended]
    if between:
        return mean(between)
    return min(_noted, key=lambda note: abs(note[0] - ended))[1] if _noted else 1.0


def spread() -> tuple[float, float]:
    """The slowest and the fastest ten seconds of all, as parts of the fastest moment."""
    if not _noted:
        return 1.0, 1.0
    length = round(10 / _EVERY) * len(os.sched_getaffinity(0))
    tens = [mean(loops for _, loops in _noted[at : at + length]) for at in range(0, max(1, len(_noted) - length + 1), length)]
    fastest = max(loops for _, loops in _noted)
    return min(tens) / fastest, max(tens) / fastest


def _loop() -> float:
    """Seconds of CPU time."""
    began, total = time.thread_time(), 0
    for number in range(_LENGTH):
        total += number * number
    return time.thread_time() - began
