"""The ledger of a workspace: where it is, opened only when something is recorded or read."""

from __future__ import annotations

import os
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
