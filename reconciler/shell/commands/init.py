"""`fleet init`: the first files of a repository."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from reconciler.model.spec import NAME_LENGTH, NAME_PATTERN
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal
from reconciler.shell.scaffold import files

_KEPT = frozenset({".gitignore"})
"""A file of the repository's own may stand here; it is left as it is."""


@click.command(name="init")
@click.argument("folder", required=False, default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the fleet; by default the folder's.")
@click.option("--tenant", metavar="NAME", default="team", show_default=True, help="Name of the first tenant.")
@click.option(
    "--context", metavar="NAME", default="kind-fleet", show_default=True, help="Context of the kubeconfig for the environment `trial`."
)
def command(folder: Path, name: str | None, tenant: str, context: str) -> None:
    """Start a repository in FOLDER: fleet.yaml, a tenant, an image, a service, JSON Schemas and the editor's settings.

    Nothing is overwritten: while one of these files is there, nothing is written at all.

    \b
    Example: fleet init acme --tenant platform
    """
    made = files(_named(name or _plain(folder.resolve().name), "--name"), _named(tenant, "--tenant"), context)
    standing = [path for path in made if (folder / path).exists() or (folder / path).is_symlink()]
    if clash := [path for path in standing if path not in _KEPT]:
        raise Refusal(f"there is something already: {', '.join(clash)}; nothing was written", "name an empty folder", Exit.FINDINGS)
    try:
        _write(folder, {path: text for path, text in made.items() if path not in standing})
    except OSError as fault:
        raise Refusal(f"{fault.filename} cannot be written: {fault.strerror}", "name a folder that can be written to") from None
    _tell(folder, [path for path in made if path not in standing])


def _write(folder: Path, made: dict[str, str]) -> None:
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        # "x": somebody else's file that came between is not overwritten either.
        with (folder / path).open("x", encoding="utf-8") as file:
            file.write(text)


def _tell(folder: Path, written: list[str]) -> None:
    for path in written:
        click.echo(folder / path)
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"\nNext: {enter}git init && git add . && fleet lint", err=True)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_LENGTH].strip("-") or "fleet"


def _named(name: str, option: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > NAME_LENGTH:
        raise Refusal(f"{option} {name!r} is not lower-case letters, digits and `-`", f"such as {_plain(name)}")
    return name
