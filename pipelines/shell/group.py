"""A group whose commands are imported only when they are called: none of them loads what another one needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from reconciler.shell.cli import HELP


class LazyGroup(click.Group):
    """Commands by name with their one line of help, in the order in which they are shown; the function of each is `command`."""

    def __init__(self, name: str, package: str, known: Mapping[str, str], modules: Mapping[str, str], help: str) -> None:
        """`modules`: those of `package` that are not called as their command."""
        super().__init__(name, help=help, context_settings=HELP)  # click keeps what a command was first asked under
        self._package, self._known, self._modules = package, known, modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order that was given, not of the alphabet."""
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None."""
        if cmd_name not in self._known:
            return None
        command: click.Command = importlib.import_module(f"{self._package}.{self._modules.get(cmd_name, cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._known.items()))
