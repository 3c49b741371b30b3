"""`fleet release`: lift a hold: one of a spec as a commit, one that the operator set as an order to it."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.core.codes.holds import NOT_HELD
from reconciler.core.fallback import images
from reconciler.core.holds import Edit, release
from reconciler.core.orders import RELEASE
from reconciler.core.projecting import id_of
from reconciler.core.put_back import in_force
from reconciler.kinds import KINDS
from reconciler.model.findings import Finding
from reconciler.shell.commits import author_of, commit_edit, scene_of
from reconciler.shell.options import environment_option, repository_option
from reconciler.shell.orders import Addressee, give, inventory
from reconciler.shell.workspace import Workspace, open_workspace


@click.command(name="release")
@click.argument("name")
@click.option("--reason", default="", help="Why, for the commit.")
@environment_option
@repository_option
def command(name: str, reason: str, env: str | None, repo: Path | None) -> None:
    """Lift the hold of a service: it runs what the lock says again.

    A hold in its spec is lifted by a commit. One that the operator set since a build failed (`onFailure: hold-previous`) is in no file: the
    operator is told to try that build again, and does not put it back a second time.

    \b
    Example: fleet release service-registry
    """
    workspace = open_workspace(repo)
    edit = release(scene_of(workspace, env), name, author_of(workspace), reason)
    if not _is_released(workspace, edit, env):
        commit_edit(workspace, edit, env)


def _is_released(workspace: Workspace, edit: Edit | Finding, env: str | None) -> bool:
    """Lifts a hold of the operator, where there is that and none in the spec."""
    if not isinstance(edit, Finding) or edit.code != NOT_HELD.id or edit.subject is None:
        return False
    graph, ref = workspace.graph(workspace.environment(env)), edit.subject
    if ref not in images(graph, KINDS):
        return False
    tracks = inventory(workspace, graph).tracks
    hold = tracks[ref].hold if ref in in_force(graph, tracks) else None
    if hold is None:
        return False
    give(workspace, graph, Addressee(str(ref), id_of(ref, graph.environment)), {RELEASE: hold.failed})
    click.echo(f"Released {ref.short} from {hold.tag}: the operator tries {hold.failed_tag} again, and leaves it to you if it fails.")
    return True
