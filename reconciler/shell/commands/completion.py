"""`fleet completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from reconciler.shell.refusal import Refusal
from reconciler.shell.variables import COMPLETION

_SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion")
@click.argument("shell", required=False, type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str | None) -> None:
    """Print the completion script of SHELL; by default of the one in $SHELL.

    \b
    Examples: fleet completion bash > ~/.local/share/bash-completion/completions/fleet
              fleet completion zsh > "${fpath[1]}/_fleet"
              fleet completion fish > ~/.config/fish/completions/fleet.fish
    """
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    made = get_completion_class(name) if name in _SHELLS else None
    if made is None:
        raise Refusal(f"there is no completion for {name or 'an unknown shell'}", f"name one of {', '.join(_SHELLS)}")
    click.echo(made(context.find_root().command, {}, "fleet", COMPLETION).source())
