"""Edits as commits: what rollback, hold and release have in common."""

from __future__ import annotations

import click

from reconciler.core.holds import Edit, Scene
from reconciler.kinds import KINDS
from reconciler.model.findings import Finding, errors
from reconciler.model.refs import Ref
from reconciler.ports import Commit, CommitRefused
from reconciler.shell.exits import Exit
from reconciler.shell.person import person
from reconciler.shell.refusal import Refusal, refused_by
from reconciler.shell.workspace import Workspace


def author_of(workspace: Workspace) -> str:
    """Who commits: as git signs it, or the login name where git knows none."""
    return workspace.repository.author() or person()


def scene_of(workspace: Workspace, env: str | None) -> Scene:
    """What the verbs of holds look at."""
    environment = workspace.environment(env)
    lock, about = workspace.lock(environment)
    if wrong := errors(about):
        raise refused_by(wrong[0], Exit.FINDINGS)
    return Scene(workspace.reading.fleet, workspace.reading.tree, KINDS, environment, lock)


def held_places(workspace: Workspace, ref: Ref) -> str:
    """The file of a resource, broken or not."""
    resource = workspace.reading.fleet.resources.get(ref)
    return resource.document.path if resource else f"specs/services/{ref.short}.yaml"


def commit_edit(workspace: Workspace, edit: Edit | Finding, env: str | None) -> None:
    """Commits the one line, and says what comes next."""
    if isinstance(edit, Finding):
        raise refused_by(edit, Exit.FINDINGS)
    try:
        done = workspace.repository.commit_edit(edit.path, edit.data, edit.message, edit.before)
    except CommitRefused as refused:
        raise Refusal(str(refused), refused.fix, Exit.FINDINGS) from None
    committed(done)
    where = f" --env {env}" if env else ""
    click.echo(f"Next: git push, and where no operator runs: fleet apply{where} --service {edit.subject.short}", err=True)


def committed(done: Commit) -> None:
    """Says what was committed."""
    branch = f" on {done.branch}" if done.branch else ""
    click.echo(f"{done.id[:7]}{branch}: {done.subject}")
