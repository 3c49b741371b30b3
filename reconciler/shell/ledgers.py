"""The ledger of a workspace: where it is, opened only when something is recorded or read."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from reconciler.ports import Ledger
from reconciler.shell.aside import aside
from reconciler.shell.variables import LEDGER


def url_of(root: Path) -> str:
    """`FLEET_LEDGER`, or a SQLite file below `.fleet/`."""
    return os.environ.get(LEDGER) or f"sqlite:///{root / '.fleet' / 'ledger.db'}"


def open_ledger(root: Path) -> Ledger:
    """The ledger. Its faults are told on stderr once, and harm nothing."""
    from reconciler.adapters.ledger import open_at

    return open_at(url_of(root), lambda text: aside(f"warning: {text}"))


class Preload:
    """Loads the ledger's libraries beside the first request that changes something or asks what would: a run will be recorded then.

    That takes as long as a hundred writes, and while a server tries things out this process has time.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def __call__(self, method: str, _status: int, _seconds: float) -> None:
        """Hears of a request."""
        if method == "PATCH" and self._thread is None:
            self._thread = threading.Thread(target=_load, name="ledger libraries", daemon=True)
            self._thread.start()


def _load() -> None:
    with contextlib.suppress(ImportError):  # told by whoever opens the ledger
        import reconciler.adapters.ledger  # noqa: F401


def bring_up_to_date(root: Path) -> None:
    """Have the ledger made or brought up to date by another process. What goes wrong there is told when it is opened."""
    from reconciler.adapters.ledger import is_current

    url = url_of(root)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if not is_current(url):
            subprocess.run(
                [sys.executable, "-m", "reconciler.adapters.ledger"], input=url, text=True, capture_output=True, check=False, timeout=60
            )
