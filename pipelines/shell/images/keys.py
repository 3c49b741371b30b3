"""`fleet images keys`: make keys that sign images."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from pipelines.shell.signing import passphrase
from reconciler.adapters.git import Repository
from reconciler.shell import variables
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@click.group(name="keys")
def command() -> None:
    """Make keys that sign images."""


@command.command(name="new")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder of NAME.key and NAME.pub; by default the current one.",
)
@click.option("--days", type=click.IntRange(1, 3660), default=365, show_default=True, help="How long it is to count.")
def new(name: str, into: Path, days: int) -> None:
    """Make a key pair: NAME.key, which a passphrase locks, and NAME.pub. Prints what goes into fleet.yaml.

    The passphrase is FLEET_SIGNING_PASSPHRASE, or asked for twice. A folder under git is refused unless git ignores the private key.

    \b
    Example: fleet images keys new release-2026 --into ~/keys
    """
    from pipelines.adapters.keys import BadKey, generate, save

    if not _NAME.fullmatch(name):
        raise Refusal(f"{name[:80]!r} is no name of a key", "lower-case letters, digits and `-`, such as release-2026", Exit.USAGE)
    private, public = into / f"{name}.key", into / f"{name}.pub"
    _refuse_repository(private)
    word = passphrase("Passphrase for the new key", twice=True)
    if word is None:
        raise Refusal("nobody can be asked for a passphrase here", f"set {variables.SIGNING_PASSPHRASE}", Exit.USAGE)
    if not word:
        aside("warning: without a passphrase, whoever has the file can sign")
    pair = generate(word)
    try:
        save(pair, private, public)
    except BadKey as bad:
        raise Refusal(str(bad), bad.fix, Exit.USAGE) from None
    aside(f"{private} is the private key: it goes to whoever signs, and into no repository. This goes into fleet.yaml:")
    click.echo(snippet(name, pair.public, datetime.now(UTC).date(), days), nl=False)


def snippet(name: str, pem: str, today: date, days: int) -> str:
    """What stands in fleet.yaml of a key that counts from today on, so many days."""
    lines = [
        f"  signing:\n    keys:\n      {name}:\n        from: {today}\n        until: {today + timedelta(days=days - 1)}\n        publicKey: |\n"
    ]
    return "spec:\n" + "".join([*lines, *(f"          {line}\n" for line in pem.strip().splitlines())])


def _refuse_repository(private: Path) -> None:
    repository = Repository.around(private.parent)
    if repository is not None and not repository.would_ignore(private.name):
        raise Refusal(
            f"{private.parent.resolve()} lies in a git repository: a private key must not get into one",
            "name a folder outside with --into, or have git ignore *.key",
            Exit.USAGE,
        )
