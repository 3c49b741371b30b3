"""Asides: what goes to stderr beside the results. Nobody has to listen: a terminal that is gone stops no run."""

from __future__ import annotations

import contextlib

import click

from reconciler.shell.report.text import visible


def aside(text: str) -> None:
    """Says something on stderr. Servers and specs have a part in it, so what a terminal would obey is written out."""
    with contextlib.suppress(OSError):
        click.echo(harmless(text), err=True)


def harmless(text: str) -> str:
    """Text of several lines in which everything can be seen."""
    return "\n".join(map(visible, text.split("\n")))
