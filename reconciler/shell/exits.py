"""Exit codes: what scripts and CI read."""

from __future__ import annotations

from enum import IntEnum


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
