"""Commands as documents write them, parsed as `fleet` would parse them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.shell.cli import cli


def parsed(words: Sequence[str]) -> click.Context:
    """The context of a command line such as `["plan", "--env", "x"]`. Below the group's own context, whose settings count."""
    group = click.Context(cli, info_name="fleet", **cli.context_settings)
    command = cli.get_command(group, words[0])
    assert command is not None, f"there is no fleet {words[0]}"
    if len(words) == 1:
        return click.Context(command, parent=group, info_name=words[0])
    return command.make_context(words[0], list(words[1:]), parent=group)
