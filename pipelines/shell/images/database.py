"""`fleet images database`: the database of vulnerabilities that gates judge by - how old it is, and a newer one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.ports import NoVerdict
from pipelines.shell import equipment
from reconciler.shell import variables
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import output_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped


@click.command(name="database")
@click.argument("what", type=click.Choice(["status", "update"]), default="status")
@click.option("--java", is_flag=True, help="The database of JAR files too (about 1 GB): images with Java have no verdict without it.")
@click.option(
    "--repository",
    metavar="REF",
    envvar=variables.TRIVY_REPOSITORY,
    help="OCI repository to fetch it from, such as a mirror's; Trivy's own by default.",
)
@output_option("text", "json")
def command(what: str, java: bool, repository: str | None, output: str) -> None:
    """Say how old the database of vulnerabilities is, or fetch it anew. The old one stays until the new one is whole.

    Gates judge by one of at most 24 hours where CI is set, of at most 7 days elsewhere. Exit code 1 when it is missing, damaged or older.

    \b
    Example: fleet images database update
    """
    root = equipment.blobs()
    if what == "update":
        trivy = equipment.trivy(root, repository or "")
        try:
            run(lambda stop: unless_stopped(stop, trivy.update(java=java)))
        except NoVerdict as fault:
            raise Refusal(str(fault), fault.fix, Exit.PARTLY) from None
    state = _state(equipment.database_folder(root))
    click.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode() if output == "json" else _text(state))
    if state["fault"]:
        aside(f"help: {state['help']}")
    raise SystemExit(Exit.FINDINGS if state["fault"] else Exit.OK)


def _state(folder: Path) -> dict[str, Any]:
    from pipelines.adapters.trivy import database

    now, oldest = equipment.now(), equipment.oldest(os.environ)
    state: dict[str, Any] = {
        "folder": str(folder),
        "made": None,
        "hours": None,
        "bytes": database.size(folder),
        "fault": None,
        "help": None,
    }
    state["java"] = (folder / "java-db" / "trivy-java.db").is_file()
    state["oldestHours"] = oldest.total_seconds() / 3600
    try:
        made = database.made(folder)
        state |= {"made": database.rfc3339(made), "hours": round((now - made).total_seconds() / 3600, 1)}
        database.made_at(folder, now, oldest)
    except NoVerdict as fault:
        state |= {"fault": str(fault), "help": fault.fix}
    return state


def _text(state: dict[str, Any]) -> str:
    if state["made"] is None:
        return str(state["fault"])
    java = "with" if state["java"] else "without"
    size = f"{state['bytes'] / (1 << 20):.0f} MiB in {state['folder']}, {java} the one for Java"
    enough = "too old for a verdict" if state["fault"] else f"good until {state['oldestHours']:.0f} hours"
    return f"made at {state['made']}, {state['hours']} hours ago: {enough}; {size}"
