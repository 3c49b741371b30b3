"""Commands as documents write them, parsed as `fleet` would parse them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from pipelines.main import MOUNTED
from reconciler.shell.cli import cli


def parsed(words: Sequence[str]) -> click.Context:
    """The context of a command line such as `["plan", "--env", "x"]`. Below the group's own context, whose settings count."""
    group = click.Context(cli, info_name="fleet", **cli.context_settings)
    command = importlib.import_module(f"pipelines.shell.{words[0]}").command if words[0] in MOUNTED else cli.get_command(group, words[0])
    while isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
        group = click.Context(command, parent=group, info_name=words[0])
        command, words = command.get_command(group, words[1]), words[1:]
    assert command is not None, f"there is no fleet {words[0]}"
    if len(words) == 1:
        return click.Context(command, parent=group, info_name=words[0])
    return command.make_context(words[0], list(words[1:]), parent=group)
