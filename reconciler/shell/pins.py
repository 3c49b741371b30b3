"""Options of commands that pin a service, and the pin that they make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import click

from reconciler.core.holds import Pin
from reconciler.shell.commits import author_of
from reconciler.shell.refusal import Refusal
from reconciler.shell.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


def pin_options(function: F) -> F:
    """Who pins, why and until when."""
    for option in (
        click.option("--replace", is_flag=True, help="An earlier hold gives way."),
        click.option("--unsafe", is_flag=True, help="Allow a tag that never passed the gate; shown wherever the hold is shown."),
        click.option("--in", "environments", multiple=True, metavar="ENV", help="Hold only in this environment; repeatable."),
        click.option("--until", metavar="DATE", help="When it should have been released, such as 2026-12-02; past it a warning appears."),
        click.option("--by", help="Who; by default your login name."),
        click.option("--reason", help="Why, for whoever reads the plan. Needed."),
    ):
        function = option(function)
    return function


def pin_of(
    workspace: Workspace,
    reason: str | None,
    by: str | None,
    until: str | None,
    environments: tuple[str, ...],
    *,
    unsafe: bool,
    replace: bool,
) -> Pin:
    """The pin that these options ask for."""
    if not reason:
        raise Refusal("a hold needs a reason", '--reason "what went wrong"')
    known = workspace.reading.fleet.spec.environments if workspace.reading.fleet.spec else {}
    for name in environments:
        if name not in known:
            raise Refusal(f"there is no environment {name!r}", f"use one of: {', '.join(known)}")
    return Pin(reason, by or author_of(workspace), workspace.today, _date(until), environments, unsafe, replace)


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--until: {text!r} is not a date", "write it as 2026-12-02") from None
