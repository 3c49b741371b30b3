"""Ctrl-C where no event loop hears it.

Python raises KeyboardInterrupt wherever it stands. Inside pydantic or CEL that is taken for a bad value and told as a finding, or ends in an abort.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from reconciler.shell.exits import Exit

_SAID = b"\ninterrupted\n"


def end_at_once() -> None:
    """From here on Ctrl-C ends the process there and then, with 130. Files are written whole or not at all, so nothing is left half-done."""
    signal.signal(signal.SIGINT, _end)


@contextmanager
def kept() -> Iterator[None]:
    """What an event loop makes of Ctrl-C lasts as long as the loop; then the process does again what it did before."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def asking() -> Iterator[None]:
    """While a person types an answer: Ctrl-C is an exception here, so that the terminal is put back as it was."""
    with kept():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


def _end(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, _SAID)
    os._exit(Exit.INTERRUPTED)
