"""Start: the reporter goes off on its own, the service takes this process's place. So signals and exit codes are the service's own."""

from __future__ import annotations

import os
import sys


def main(command: list[str]) -> None:
    """Never returns: becomes `command`, or the placeholder where there is none."""
    _beside()
    command = command or [sys.executable, "-m", "fleet_runtime", "placeholder"]
    try:
        os.execvp(command[0], command)
    except OSError as fault:
        print(f"fleet: {command[0]} cannot be started: {fault.strerror}", file=sys.stderr, flush=True)
        os._exit(127 if isinstance(fault, FileNotFoundError) else 126)  # as a shell would (POSIX, 2.8.2)


def _beside() -> None:
    """Start the reporter as a grandchild: PID 1 becomes its parent, so the service never meets a child that it does not know."""
    service = os.getpid()
    if not os.environ.get("FLEETWRIGHT_REPORT_URL"):
        return
    try:
        child = os.fork()
    except OSError as fault:  # no more processes are to be had: the service counts, the report does not
        print(f"fleet: no start-up report: {fault.strerror}", file=sys.stderr, flush=True)
        return
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()  # no signal to the service's group, and no hang-up of its terminal, is meant for the reporter
        if os.fork() == 0:
            from fleet_runtime import report  # the service does not wait until this is read

            report.main(service)
    finally:
        os._exit(0)
