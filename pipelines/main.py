"""The `fleet` script: mounts the reconciler's commands and, later, the pipelines' own."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from reconciler.shell.cli import cli

    cli()
