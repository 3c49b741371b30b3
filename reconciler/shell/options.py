"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.shell.variables import COLOR, ENV, REPO

F = TypeVar("F", bound=Callable[..., Any])


def environment_option(function: F) -> F:
    """`--env NAME`."""
    return click.option("--env", "env", metavar="NAME", envvar=ENV, help="Environment; the fleet's default one if not given.")(function)


def repository_option(function: F) -> F:
    """`--repo DIR`."""
    return click.option(
        "--repo",
        type=click.Path(file_okay=False, path_type=Path),
        envvar=REPO,
        help="The repository; by default the nearest folder upwards with a fleet.yaml.",
    )(function)


def color_option(function: F) -> F:
    """`--color`."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        envvar=COLOR,
        help="NO_COLOR and FORCE_COLOR count too.",
    )(function)


def output_option(*formats: str) -> Callable[[F], F]:
    """`-o FORMAT`, the first one being the default."""
    return click.option("-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="Format of the result.")


def service_option(function: F) -> F:
    """`--service NAME`, repeatable."""
    return click.option(
        "--service", "services", multiple=True, metavar="NAME", help="Keep to this service (`web` or `platform/web`); repeatable."
    )(function)


def takes_down_options(function: F) -> F:
    """What a plan may do beyond the ordinary."""
    for option in (
        click.option("--adopt", is_flag=True, help="Take over objects that others made."),
        click.option("--no-prune", is_flag=True, help="Delete nothing."),
        click.option("--prune-unplaced", is_flag=True, help="Take down what still runs of services that have no machine."),
        click.option("--require-placed", is_flag=True, help="A service without a machine is an error."),
        click.option("--allow-delete", type=int, metavar="N", help="Let deletions pass the guards; N must be the plan's own number."),
    ):
        function = option(function)
    return function


def colored(wanted: str) -> bool:
    """Whether stdout gets colour."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
