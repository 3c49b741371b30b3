"""Refusals: how a command ends early, in one sentence with a fix, on stderr."""

from __future__ import annotations

from typing import IO, Any

import click

from reconciler.model.findings import Finding
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit


class Refusal(click.ClickException):
    """Ends the command with an exit code: what is wrong, and what to do."""

    def __init__(self, message: str, fix: str = "", code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.fix = fix
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What click exits with."""
        return int(self.code)

    def show(self, file: IO[Any] | None = None) -> None:
        """On stderr, with the fix below."""
        del file
        aside(f"error: {self.message}" + (f"\nhelp: {self.fix}" if self.fix else ""))


def refused_by(finding: Finding, code: Exit = Exit.USAGE) -> Refusal:
    """The refusal that a finding amounts to."""
    return Refusal(f"{finding.place}: [{finding.code}] {finding.message}", finding.fix, code)
