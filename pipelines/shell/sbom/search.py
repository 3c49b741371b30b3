"""`fleet sbom search`: which images and running services carry a package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.sbom.query import NotAQuery, parse
from pipelines.core.sbom.search import Hit, search, tell_hits
from pipelines.core.standing import running
from pipelines.flow.remember import learn
from pipelines.flow.rescan import Known
from pipelines.model.oci import Pinned
from pipelines.model.reference import parse_repository
from pipelines.ports import RegistryFault
from pipelines.shell import equipment
from reconciler.flow.fan import Stop
from reconciler.model.fleet import Environment
from reconciler.model.lock import Build, Lock
from reconciler.ports import Components
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.workspace import open_workspace


@click.command(name="search")
@click.argument("query")
@click.option("--all", "every", is_flag=True, help="Builds that are in no lock any more, too.")
@click.option("--offline", is_flag=True, help="Ask the ledger only: fetch no SBOM that it does not know yet.")
@output_option("text", "json")
@environment_option
@repository_option
def command(query: str, every: bool, offline: bool, output: str, env: str | None, repo: Path | None) -> None:
    """Say which images of the lock carry a package, in which version, from which commit, and which services run them.

    QUERY is a name, perhaps with bounds and an ecosystem; it also finds what is built from a source package of that name. Versions are
    compared as their distribution does. Exit code 3 when it is not known what is in some build: the answer may lack something then.

    \b
    Examples: fleet sbom search 'openssl<3.0.14'
              fleet sbom search 'deb:zlib>=1.2,<1.3' -o json
    """
    try:
        asked = parse(query)
    except NotAQuery as fault:
        raise Refusal(str(fault), code=Exit.USAGE) from None
    workspace = open_workspace(repo)
    where = workspace.environment(env)
    graph = workspace.graph(where)
    ledger = equipment.components(workspace.root)
    unknown = _unknown(graph.lock, ledger)
    faults = {build.digest: "" for _, build in unknown}
    if unknown and not offline:
        found = run(lambda stop: _learn(where, ledger, unknown, stop))
        faults = {digest: str(fault) for digest, fault in found.items()}
    runs, tags = running(graph), _tags(graph.lock)
    hits = [hit for hit in search(asked, ledger.named(asked.names), runs) if every or hit.image.digest in tags or hit.services]
    click.echo(_json(hits, tags) if output == "json" else "\n".join(tell_hits(hits, tags)) or f"nothing carries {query}")
    for name, build in unknown:
        if build.digest in faults:
            why = faults[build.digest]
            aside(f"warning: it is not known what is in {name} {build.tag}" + (f": {why}" if why else ""))
    raise SystemExit(Exit.PARTLY if faults else Exit.OK)


def _unknown(lock: Lock, ledger: Components) -> list[tuple[str, Build]]:
    """Builds of the lock that the ledger has not seen."""
    known = {one.digest for one in ledger.images()}
    return [(name, build) for name, builds in sorted(lock.images.items()) for build in builds.builds if build.digest not in known]


async def _learn(where: Environment, ledger: Components, unknown: list[tuple[str, Build]], stop: Stop) -> Mapping[str, RegistryFault]:
    registry = equipment.registry()
    pairs = [
        (Known(name, Pinned(parse_repository(f"{where.registry}/{name}"), build.digest), build.sbom, build.verdict), build)
        for name, build in unknown
    ]
    try:
        return await unless_stopped(stop, learn(registry, ledger, pairs))
    finally:
        await equipment.closed(registry)


def _tags(lock: Lock) -> Mapping[str, str]:
    """By digest."""
    return {build.digest: build.tag for builds in lock.images.values() for build in builds.builds}


def _json(hits: list[Hit], tags: Mapping[str, str]) -> str:
    said: list[dict[str, Any]] = [
        {
            "image": hit.image.image,
            "digest": hit.image.digest,
            "tag": tags.get(hit.image.digest),
            "revision": hit.image.revision,
            "verdict": hit.image.verdict,
            "since": hit.image.since.isoformat(),
            "services": hit.services,
            "packages": [one._asdict() for one in hit.components],
        }
        for hit in hits
    ]
    return orjson.dumps(said, option=orjson.OPT_INDENT_2).decode()
