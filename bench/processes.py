"""Programs as the machine sees them: wall time, CPU time of program and children, largest memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
    rss: float
    said: str


def fleet(root: Path, *arguments: str, codes: Sequence[int] = (0,)) -> Cost:
    """Runs `fleet` in a repository. Raises Failed when it ends with another exit code."""
    return run((*FLEET, *arguments), root, codes=codes)


def run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)) -> Cost:
    """Runs a program to its end; its standard output and error come back as one text."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", **(env or {})}
    with (folder / ".git" / "bench.out").open("w+b") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=here, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            raise
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode(errors="replace")
    if process.returncode not in codes:
        raise Failed(f"{' '.join(command[3:] or command)} ended with {process.returncode}:\n{said[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a running process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _PAGE
