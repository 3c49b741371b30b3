"""`fleet images sign`: sign the builds that the lock names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from pipelines.core.publication import is_by_hand
from pipelines.flow.endorse import endorse
from pipelines.model.trust import Subject
from pipelines.ports import PrivateKey, RegistryFault
from pipelines.shell import equipment
from pipelines.shell.signing import signing_key
from pipelines.shell.stock import Stock, stock
from reconciler.flow.fan import Stop
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.session import run, unless_stopped

key_option = click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key; else FLEET_SIGNING_KEY, a file or the PEM itself.",
)


@click.command(name="sign")
@click.argument("names", nargs=-1)
@key_option
@environment_option
@repository_option
def command(names: tuple[str, ...], key: Path | None, env: str | None, repo: Path | None) -> None:
    """Sign the builds that the lock names, their verdicts and provenance, in cosign's format. Signing again changes nothing.

    What the lock does not name is not signed, nor what has no verdict that is a pass. The passphrase is FLEET_SIGNING_PASSPHRASE, or asked for.
    Exit code 3 when something could not be signed.

    \b
    Example: fleet images sign family-web --key release-2026.key
    """
    found = stock(repo, env)
    subjects = signable(found, found.named(names))
    used = signing_key(key, found.where, found.workspace.today)
    failed = run(lambda stop: signed(subjects, used, stop))
    tell(failed)
    click.echo(f"{len(subjects) - len(failed)} of {len(subjects)} builds are signed.")
    raise SystemExit(Exit.PARTLY if failed else Exit.OK)


def signable(found: Stock, names: tuple[str, ...]) -> tuple[Subject, ...]:
    """The builds of these images that can be signed; says which cannot, and why."""
    by_hand = {build.digest for name in names for build in found.lock.images[name].builds if is_by_hand(build)}
    for name in names:
        count = sum(is_by_hand(build) for build in found.lock.images[name].builds)
        if count:
            aside(f"{name}: {count} of its builds {'was' if count == 1 else 'were'} entered by hand and not judged: not signed")
    return tuple(one for one in found.subjects(names) if one.at.digest not in by_hand)


async def signed(subjects: tuple[Subject, ...], key: PrivateKey, stop: Stop) -> Mapping[Subject, RegistryFault]:
    """Sign them, and say so on stderr."""
    registry = equipment.registry()
    try:
        return await unless_stopped(stop, endorse(registry, subjects, key, lambda one: aside(f"{one.image}@{one.at.digest[:19]}  signed")))
    finally:
        await equipment.closed(registry)


def tell(failed: Mapping[Subject, RegistryFault]) -> None:
    """What could not be signed, and what to do."""
    for subject, fault in failed.items():
        aside(f"error: {subject.image}: {fault}" + (f"\nhelp: {fault.fix}" if fault.fix else ""))
