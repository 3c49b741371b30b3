"""Commands as documents and workflows write them, parsed as `fleet` would parse them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from pipelines.main import MOUNTED
from reconciler.shell.cli import cli


def parsed(words: Sequence[str]) -> click.Context:
    """The context of a command line such as `["plan", "--env", "x"]`. Below the group's own context, whose settings count."""
    context = click.Context(cli, info_name="fleet", **cli.context_settings)
    command = _mounted(words[0]) or cli.get_command(context, words[0])
    assert command is not None, f"there is no fleet {words[0]}"
    shown, rest = words[0], list(words[1:])
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        context = click.Context(command, parent=context, info_name=shown)
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"there is no {context.command_path} {rest[0]}"
        command, shown, rest = inner, rest[0], rest[1:]
    if not rest:
        return click.Context(command, parent=context, info_name=shown)
    return command.make_context(shown, rest, parent=context)


def _mounted(name: str) -> click.Command | None:
    """A command of the layer above, as `pipelines.main` mounts it."""
    return importlib.import_module(f"pipelines.shell.{name}").command if name in MOUNTED else None
