"""Exit codes: what scripts and CI read."""

from __future__ import annotations

from enum import IntEnum

from reconciler.model.result import Ending


class Exit(IntEnum):
    """Documented in `docs/reference/exit-codes.md`."""

    OK = 0
    FINDINGS = 1
    """Errors, differences, or refused before any write."""
    USAGE = 2
    """Usage, or nothing that answers."""
    PARTLY = 3
    """Something failed, is held or blocked."""
    EXPIRED = 4
    """The deadline passed with nothing failed."""
    LOCKED = 5
    """Another writer, or a stale plan."""
    INTERRUPTED = 130


def exit_of(ending: Ending) -> Exit:
    """The exit code of a run that ended so."""
    match ending:
        case Ending.COMPLETED:
            return Exit.OK
        case Ending.REFUSED:
            return Exit.FINDINGS
        case Ending.FAILED | Ending.HELD | Ending.BLOCKED | Ending.PAUSED:
            return Exit.PARTLY
        case Ending.EXPIRED:
            return Exit.EXPIRED
        case Ending.LOCKED | Ending.STALE:
            return Exit.LOCKED
        case Ending.CANCELLED:
            return Exit.INTERRUPTED
