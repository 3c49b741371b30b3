"""Long-lived processes with a pid file and a log each; a reused pid is never mistaken for one of them."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1  # prctl(2)
STOP_SECONDS = 10.0


def birth(pid: int) -> str | None:
    """When the process started, in a form that only has to compare equal; None if there is none (a zombie is none)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon(NamedTuple):
    """One process by name, in a state folder."""

    state: Path
    name: str

    @property
    def log(self) -> Path:
        return self.state / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.state / "pids" / self.name

    def pid(self) -> int | None:
        """The process id, if the process that was started still runs."""
        try:
            pid, _, born = self.pid_file.read_text().partition(" ")
        except OSError:
            return None
        return int(pid) if birth(int(pid)) == born else None

    def start(self, command: Sequence[str | Path], env: dict[str, str], *, tied: bool) -> None:
        """Starts it in its own session, so that it outlives the shell; tied, it dies with the process that starts it."""
        for path in (self.log, self.pid_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
                start_new_session=True,
                preexec_fn=die_with_parent if tied else None,
            )
        process.returncode = 0  # the pid file keeps track of it from here on; silences the warning about a child that still runs
        self.pid_file.write_text(f"{process.pid} {birth(process.pid)}")

    def stop(self) -> bool:
        """Ends it, by force after ten seconds; whether there was something to end."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while reap(pid) is None and self.pid() and time.monotonic() < deadline:
                time.sleep(0.02)
            if self.pid():
                os.kill(pid, signal.SIGKILL)
                reap(pid, wait=True)
        self.pid_file.unlink(missing_ok=True)
        return pid is not None

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def reap(pid: int, *, wait: bool = False) -> int | None:
    """Collects a child that ended; None while it runs, 0 for a process that is not ours to collect."""
    try:
        return os.waitpid(pid, 0 if wait else os.WNOHANG)[0] or None
    except ChildProcessError:
        return None
