"""`fleet images merge-lock`: the merge driver that git calls for locks, and its installation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from reconciler.adapters.git import Repository
from reconciler.core.environment import environment
from reconciler.core.lock_driver import drive
from reconciler.model.fleet import Environment
from reconciler.ports import SourceUnavailable
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.workspace import Workspace, open_workspace

DRIVER = "fleet-lock"
SETTINGS = {f"merge.{DRIVER}.name": "locks of fleet", f"merge.{DRIVER}.driver": "fleet images merge-lock %O %A %B %P"}
_ATTRIBUTES = ".gitattributes"
_file = click.Path(dir_okay=False, path_type=Path)


@click.command(name="merge-lock")
@click.argument("base", required=False, type=_file)
@click.argument("ours", required=False, type=_file)
@click.argument("theirs", required=False, type=_file)
@click.argument("name", required=False)
@click.option("--install", is_flag=True, help="Tell git of it: in .gitattributes, which is committed, and in this clone's configuration.")
@repository_option
def command(base: Path | None, ours: Path | None, theirs: Path | None, name: str | None, install: bool, repo: Path | None) -> None:
    """Merge locks. git calls it with the common ancestor BASE, OURS, which is overwritten by what comes of it, THEIRS, and the lock's NAME.

    Exit code 1 when a person has to look: what both sides changed in a way that cannot be decided is told, a sentence each.

    \b
    Example: fleet images merge-lock --install
    """
    if install:
        if base is not None:
            raise Refusal("--install goes without files", "leave them out", Exit.USAGE)
        _install(open_workspace(repo))
        return
    if base is None or ours is None or theirs is None:
        raise Refusal("three files are needed: BASE OURS THEIRS", "git names them; people want --install", Exit.USAGE)
    before, one, other = (_bytes(file) for file in (base, ours, theirs))
    driven = drive(name or str(ours), before, one, other)
    if driven.data != one:
        try:
            ours.write_bytes(driven.data)
        except OSError as fault:
            raise Refusal(f"{ours} cannot be written: {fault.strerror}") from None
    for said in driven.conflicts:
        aside(f"{name or ours}: {said}")
    raise SystemExit(Exit.FINDINGS if driven.conflicts else Exit.OK)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise Refusal(f"{file} cannot be read: {fault.strerror}") from None


def _install(workspace: Workspace) -> None:
    """Locks that git ignores, as that of the trial, are never merged."""
    if Repository.around(workspace.root) is None:
        raise Refusal(f"{workspace.root} is in no git repository", "git init", Exit.USAGE)
    wanted = [f"/{path} merge={DRIVER}" for path in sorted(set(_locks(workspace))) if not workspace.repository.would_ignore(path)]
    file = workspace.root / _ATTRIBUTES
    try:
        text = file.read_text() if file.exists() else ""
        known = {tuple(line.split()) for line in text.splitlines()}
        missing = [line for line in wanted if {tuple(line.split()), tuple(line[1:].split())}.isdisjoint(known)]
        if missing:
            end = "" if not text or text.endswith("\n") else "\n"
            file.write_text(text + end + "".join(f"{line}\n" for line in missing))
    except (OSError, UnicodeDecodeError) as fault:
        raise Refusal(f"{file} cannot be written: {fault}") from None
    try:
        workspace.repository.configure(SETTINGS)
    except SourceUnavailable as gone:
        raise Refusal(str(gone), gone.fix) from None
    click.echo(f"{_ATTRIBUTES}: {', '.join(missing)}; commit it." if missing else f"{_ATTRIBUTES} has it already.")
    click.echo(
        f"This clone merges locks by itself now; in each other one: git config merge.{DRIVER}.driver '{SETTINGS[f'merge.{DRIVER}.driver']}'"
    )


def _locks(workspace: Workspace) -> Iterable[str]:
    spec = workspace.reading.fleet.spec
    named = (environment(workspace.reading.fleet, name) for name in (spec.environments if spec else ()))
    return (found.lock for found in named if isinstance(found, Environment))
