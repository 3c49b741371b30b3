"""`fleet operator run`: the operator in the foreground. Everything heavy is imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.flow.fan import Stop
from reconciler.ports import SourceUnavailable
from reconciler.shell.exits import Exit
from reconciler.shell.ledgers import bring_up_to_date
from reconciler.shell.options import environment_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run as running

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="run")
@environment_option
@click.option("--git", metavar="URL", required=True, help="Repository to follow: https:// or ssh://.")
@click.option("--branch", default="main", show_default=True, help="Branch of it.")
@click.option("--path", default="", metavar="FOLDER", help="Folder of the repository that the fleet lies in.")
@click.option("--credentials", type=FOLDER, help="Folder with the credentials of the repository, as a Secret is mounted.")
@click.option("--repo", "folder", type=FOLDER, default=Path(), help="Folder that a kubeconfig in fleet.yaml counts from; here by default.")
@click.option("--state", type=FOLDER, help="Folder for mirror and ledger, below its `.fleet/`; that of --repo by default.")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8080", show_default=True, help="Where probes, metrics and webhooks are.")
@click.option("--logs", type=click.Choice(["auto", "json", "text"]), default="auto", show_default=True, help="Form of log lines on stderr.")
@click.option(
    "--hook-secrets", "hooks", type=FOLDER, help="Folder with secrets of webhooks: `github`, `gitlab`; `github-next` while one changes."
)
@click.option("--notification-secrets", "secrets", type=FOLDER, help="Folder with the secrets that `notifications` of fleet.yaml name.")
@click.option(
    "--trial-git", "trial", is_flag=True, help="Follow http:// and file://, too. Nothing protects those: for trials on one machine."
)
def command(
    env: str | None,
    git: str,
    branch: str,
    path: str,
    credentials: Path | None,
    folder: Path,
    state: Path | None,
    listen: str,
    logs: str,
    hooks: Path | None,
    secrets: Path | None,
    trial: bool,
) -> None:
    """Follow a repository and keep an environment as its newest commit says, until interrupted.

    In a pod it uses the pod's account, elsewhere the environment's kubeconfig. A second operator of the same environment waits for the Lease.

    \b
    Example: fleet operator run --env production --git https://github.com/acme/fleet
    """
    if env is None:
        raise Refusal("nothing says which environment", "add --env NAME", Exit.USAGE)
    host, port = _address(listen)
    try:
        from reconciler.shell.operator.logs import set_up
        from reconciler.shell.operator.process import Process, Wishes
    except ImportError as missing:
        raise Refusal(f"the operator needs {missing.name}, which is not here", "pip install 'fleetwright[operator]'") from None
    from reconciler.adapters.git.address import SECURE, TRIAL
    from reconciler.adapters.git.address import folder as within
    from reconciler.adapters.git.mirror import Mirror

    place = (state or folder).absolute()
    try:
        mirror = Mirror(place / ".fleet" / "mirror", git, branch, credentials=credentials, path=path, schemes=TRIAL if trial else SECURE)
    except SourceUnavailable as wrong:
        raise Refusal(str(wrong), wrong.fix, Exit.USAGE) from None
    set_up(sys.stderr, logs)
    bring_up_to_date(place)
    wishes = Wishes(
        env, mirror, folder.absolute(), place, host, port, _present(hooks, "github"), _present(hooks, "gitlab"), secrets, within(path)
    )
    process = Process(wishes)

    async def work(stop: Stop) -> None:
        try:
            await process.run(stop)
        except OSError as taken:
            raise Refusal(f"{listen} cannot be listened on: {taken.strerror or taken}", "name another with --listen") from None

    running(work)


def _present(folder: Path | None, name: str) -> tuple[Path, ...]:
    """The secret of this name, and the one that comes after it."""
    return tuple(file for file in (folder / name, folder / f"{name}-next") if file.is_file()) if folder else ()


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise Refusal(f"{text!r} is no HOST:PORT", "write it like 127.0.0.1:8080", Exit.USAGE)
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - an empty host is every address, as with other servers
