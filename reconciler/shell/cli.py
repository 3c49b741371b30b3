"""The command line: its commands by name, each imported when it is called."""

from __future__ import annotations

import difflib
import importlib
import os
from typing import Any

import click

from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.variables import refuse_unknown

COMMANDS: dict[str, str] = {
    "init": "start a repository: fleet.yaml, one tenant, one service, the editor's settings",
    "lint": "check every spec: what is wrong, where, and what to do",
    "schema": "print or write the JSON Schemas for editors",
    "explain": "tell what a finding's code, a kind or a field means",
    "graph": "draw what depends on what: dot, mermaid or JSON",
    "plan": "show what an apply would do, or what a commit changes (--against)",
    "apply": "make the target what the specs say",
    "diff": "show field by field how the target differs from the specs",
    "drift": "show how the target differs from what was last applied",
    "wait": "wait until services are healthy",
    "status": "show what runs, where, and what is wrong",
    "history": "list past runs, or tell one",
    "rollback": "pin a service to an earlier build, as a commit",
    "hold": "pin a service to what it runs, as a commit",
    "release": "lift a hold, as a commit",
    "pause": "keep the operator from writing a service, a tenant or everything",
    "resume": "lift a pause",
    "runs": "list what the operator did last",
    "approve": "let the operator go on with what waits for a person",
    "operator": "run the operator; print or install what it needs in a cluster",
    "doctor": "check tools, credentials and the target; say what to do",
    "config": "show every setting, its value and where it comes from",
    "completion": "print the shell's completion script",
}
"""Command -> its one line of help. The module of each is `reconciler.shell.commands.NAME`, its function `command`."""
HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of each group, so that its commands have both wherever they are called from."""
_ELSEWHERE: dict[str, str] = {}
"""Commands that stand above this layer, and their modules."""


def mount(name: str, about: str, module: str) -> None:
    """Add a command of a layer above. Its module is imported when it is called."""
    COMMANDS[name] = about
    _ELSEWHERE[name] = module


class Commands(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of a day's work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(_ELSEWHERE.get(cmd_name, f"reconciler.shell.commands.{cmd_name}")).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. Output that cannot be written ends it here: click would take a reader that is gone for a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `fleet plan | head`
            _hush()
            raise click.exceptions.Exit(Exit.OK) from None
        except OSError as fault:  # as a rule a full disk behind stdout
            aside(f"error: {fault.filename or 'the output'} cannot be used: {fault.strerror or fault}")
            _hush()
            raise click.exceptions.Exit(Exit.USAGE) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of these arguments; a near miss is named."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as usage:
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            if near:
                raise click.UsageError(f"{usage.message} Did you mean {near[0]!r}?", ctx) from None
            raise


@click.group(cls=Commands, context_settings={**HELP, "max_content_width": 110})
@click.version_option(package_name="fleetwright", prog_name="fleet")
@click.pass_context
def cli(context: click.Context, /, **_: Any) -> None:
    """Fleetwright keeps a fleet of containers, and what governs it, as one git repository says.

    Results go to stdout, progress to stderr. `fleet COMMAND --help` tells more, `fleet explain CODE` tells what a finding means.
    """
    if context.invoked_subcommand != "doctor":  # which tells it as one line of many
        refuse_unknown(os.environ)


def run() -> int:
    """Runs the command line and returns its exit code; click alone would turn Ctrl-C into 1."""
    try:
        cli.main(prog_name="fleet", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except click.Abort:
        aside("interrupted; nothing was written")
        return Exit.INTERRUPTED
    return Exit.OK


def _hush() -> None:
    """What is still to be written goes nowhere, so that the interpreter does not stumble over it at its end (Python's `signal`, "Note on SIGPIPE")."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
