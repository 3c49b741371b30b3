"""`fleet sbom`: its commands by name, each imported when it is called."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, str] = {
    "search": "say which images and running services carry a package",
    "diff": "say what one image has that another has not",
}
"""Command -> its one line of help. The module of each is `pipelines.shell.sbom.NAME`, its function `command`."""


class Sboms(click.Group):
    """Commands that are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pipelines.shell.sbom.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(name="sbom", cls=Sboms)
def command() -> None:
    """Search and compare what is in the images.

    Every build has a CycloneDX SBOM, inside the image and beside it in the registry; the ledger remembers which packages are in which.
    """
