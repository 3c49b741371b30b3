"""The `fleet` script: mounts the reconciler's commands and, later, the pipelines' own."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line. Ctrl-C exits with 130 wherever it strikes, even while modules are still being imported."""
    try:
        from reconciler.shell.cli import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
