"""Programs as the machine sees them: wall time, CPU time of program and children, largest memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import pace
from tests.engines.daemons import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
FLEET = (sys.executable, "-c", "from pipelines.main import main; main()")
"""What the installed `fleet` script does, with this interpreter and this work tree."""
_PAGE = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measured program did not do what it should; the message has its last words."""


class Cost(NamedTuple):
    """What one run of a program took: seconds, and mebibytes (never less than this process has: Linux counts from before exec)."""

    wall: float
    cpu: float
    speed: float
    """Of the machine meanwhile."""
    rss: float
    said: str


def fleet(root: Path, *arguments: str, codes: Sequence[int] = (0,)) -> Cost:
    """Runs `fleet` in a repository. Raises Failed when it ends with another exit code."""
    return run((*FLEET, *arguments), root, codes=codes)


def run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)) -> Cost:
    """Runs a program to its end; its standard output and error come back as one text."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", **(env or {})}
    with (folder / ".git" / "bench.out").open("w+b") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=here, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            raise
        ended = time.monotonic()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode(errors="replace")
    if process.returncode not in codes:
        raise Failed(f"{' '.join(command[3:] or command)} ended with {process.returncode}:\n{said[-2000:]}")
    return Cost(ended - began, used.ru_utime + used.ru_stime, pace.speed(began, ended), used.ru_maxrss / 1024, said)


class Running:
    """A program that runs on: `with Running(command, folder) as running`. What it says goes into a file, its end with the block."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command, self._folder = command, folder
        self.log = folder / "running.log"

    def __enter__(self) -> "Running":
        here = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=here, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raises Failed where it has ended."""
        if self._process.poll() is not None:
            raise Failed(f"{' '.join(self._command[3:])} ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return cpu_of(self._process.pid)

    def memory(self, which: str) -> float:
        """MiB: `VmRSS` now, `VmHWM` at most (proc(5))."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(which + ":")) / 1024


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a running process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _PAGE
