"""The person at the keyboard."""

from __future__ import annotations

import getpass
import os


def person() -> str:
    """Who runs this: the login name, or the number where the machine has no name for it (a container with an arbitrary user)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
