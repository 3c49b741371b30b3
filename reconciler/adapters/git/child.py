"""A child process that is bounded: in time, in what it prints, in what it writes, and by whoever stops it."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from reconciler.adapters.git.process import GitFailed, GitMissing
from reconciler.model.value import dataclass

_LOOK = 0.1
"""Seconds between two looks at the clock and the disk."""
_CHUNK = 1 << 16
_SAID = 1 << 15
"""Bytes kept of what a child says on standard error, from its end."""
_MEMORY = 2 << 30
"""Bytes of address space for one child: what a hostile pack may make git ask for."""


class TooLong(Exception):
    """The time was up."""


class TooLarge(Exception):
    """It printed or wrote more than it may."""


class Stopped(Exception):
    """Somebody stopped it."""


def _nothing() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may take. `deadline` is a moment of the monotonic clock; `written` tells how many bytes lie on the disk by now."""

    deadline: float
    disk: int = 0
    written: Callable[[], int] = _nothing
    stop: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raises what is the case."""
        if self.stop.is_set():
            raise Stopped
        if time.monotonic() > self.deadline:
            raise TooLong
        if self.disk and self.written() > self.disk:
            raise TooLarge


class Output(NamedTuple):
    """What a child printed, and what it said on standard error."""

    printed: bytes
    said: bytes


def run(command: Sequence[str], environment: Mapping[str, str], bounds: Bounds, *, stdin: bytes = b"", most: int = _CHUNK) -> Output:
    """Run a command that prints at most `most` bytes. Raises GitFailed, GitMissing, TooLong, TooLarge, Stopped; it and its children are gone then."""
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            child = subprocess.Popen(  # noqa: S603 - a list, no shell; what comes from outside is validated before
                command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
            )
        except FileNotFoundError:
            raise GitMissing(f"there is no {command[0]} on this machine", f"install {command[0]}") from None
    with child:
        try:
            if hasattr(resource, "prlimit"):  # Linux alone has it
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(child.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            output = _gather(child, bounds, most)
            while child.poll() is None:
                bounds.check()
                time.sleep(0.001)
            bounds.check()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    if child.returncode:
        raise GitFailed(child.returncode, (output.said or output.printed[-_SAID:]).decode(errors="replace").strip())
    return output


def _gather(child: subprocess.Popen[bytes], bounds: Bounds, most: int) -> Output:
    assert child.stdout is not None
    assert child.stderr is not None
    out, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdout, child.stderr):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_LOOK):
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stdout:
                    out += chunk
                else:
                    said = (said + chunk)[-_SAID:]
            bounds.check()
            if len(out) > most:
                raise TooLarge
    return Output(bytes(out), bytes(said))
