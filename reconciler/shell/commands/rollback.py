"""`fleet rollback`: pin a service to an earlier build, or put specs back as they were; as a commit."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.holds import rollback
from reconciler.model.documents import LOCK_FILE
from reconciler.ports import CommitRefused, SourceUnavailable
from reconciler.shell.commits import author_of, commit_edit, committed, held_places, scene_of
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.pins import pin_of, pin_options
from reconciler.shell.refusal import Refusal
from reconciler.shell.subjects import named
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="rollback")
@click.argument("name", required=False)
@click.option("--to", "to", metavar="prev|TAG", help="The build to go back to; `prev` is the newest other gated build.")
@click.option(
    "--revision",
    metavar="REV",
    help="Put specs back as they were at this commit (of NAME, or all specs): image, config and policy together.",
)
@pin_options
@environment_option
@repository_option
def command(
    name: str | None,
    to: str | None,
    revision: str | None,
    reason: str | None,
    by: str | None,
    until: str | None,
    environments: tuple[str, ...],
    unsafe: bool,
    replace: bool,
    env: str | None,
    repo: Path | None,
) -> None:
    """Pin a service to an earlier build: one line of its spec, as one commit. It holds until `fleet release`, whatever is built meanwhile.

    \b
    Examples: fleet rollback service-registry --to prev --reason "5xx after the bump"
              fleet rollback service-registry --revision HEAD~3 --reason "config and image"
    """
    workspace = open_workspace(repo)
    if (to is None) == (revision is None):
        raise Refusal("say what to go back to", "--to prev, --to TAG, or --revision REV")
    if revision is not None:
        _restore(workspace, name, revision, reason)
        return
    if name is None:
        raise Refusal("name the service", "fleet rollback NAME --to prev --reason ...")
    assert to is not None
    pin = pin_of(workspace, reason, by, until, environments, unsafe=unsafe, replace=replace)
    edit = rollback(scene_of(workspace, env), name, to, pin)
    commit_edit(workspace, edit, env)


def _restore(workspace: Workspace, name: str | None, revision: str, reason: str | None) -> None:
    paths = ["specs", "policies", "fleet.yaml", *([LOCK_FILE] if LOCK_FILE in workspace.reading.tree.files else [])]
    what = "specs"
    if name is not None:
        ref = named(workspace.reading.fleet, name)
        places = held_places(workspace, ref)
        paths, what = [places], ref.short
    message = f"Put {what} back as at {revision}\n\n{reason or 'No reason given.'}\n\nBy: {author_of(workspace)}\n"
    try:
        done = workspace.repository.commit_restore(paths, revision, message)
    except (CommitRefused, SourceUnavailable) as refused:
        raise Refusal(str(refused), refused.fix, Exit.FINDINGS) from None
    committed(done)
