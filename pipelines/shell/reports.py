"""Reports: what goes with each image as files - SBOM, verdict, SARIF, log - for whoever keeps them or shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from pipelines.core.predicate import verdict_json
from pipelines.core.sarif import verdict_sarif
from pipelines.flow.build import papers
from pipelines.model.oci import Pinned
from pipelines.model.outcome import Outcome, Part, Passed, Refused
from pipelines.model.recipe import Target
from pipelines.model.trust import CYCLONEDX
from pipelines.model.verdict import Verdict
from pipelines.ports import Registry, RegistryFault
from pipelines.shell.matter import Matter
from pipelines.shell.progress import log_name
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal


async def write_reports(
    folder: Path, registry: Registry, found: Matter, names: Collection[str], outcomes: Mapping[str, Outcome], logs: Path
) -> None:
    """Write `NAME.cdx.json`, `NAME.verdict.json`, `NAME.sarif`, `NAME.log` of each image that came to a verdict, and the log of the others.

    Of an image for several platforms there is one of each a platform, `NAME-linux-arm64...`. Refuses a folder that cannot be written.
    """
    sources = {target.name: _file(found, target) for target in found.targets}
    made: dict[str, bytes] = {}
    for name, outcome in outcomes.items():
        if names and name not in names:
            continue
        for stem, pinned, verdict in _judged(name, outcome):
            made[f"{stem}.verdict.json"] = verdict_json(verdict) + b"\n"
            made[f"{stem}.sarif"] = verdict_sarif(verdict, sources, version("fleetwright"), f"image-{stem}")
            if sbom := await _sbom(registry, name, pinned):
                made[f"{stem}.cdx.json"] = sbom
        if log := await asyncio.to_thread(_log, logs / log_name(name)):
            made[log_name(name)] = log
    try:
        await asyncio.to_thread(_write, folder, made)
    except OSError as fault:
        raise Refusal(f"reports cannot be written: {fault}", "name another folder with --reports", Exit.USAGE) from None


def _log(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _judged(name: str, outcome: Outcome) -> Iterator[tuple[str, Pinned, Verdict]]:
    match outcome:
        case Passed(pinned=pinned, verdict=verdict, parts=parts) if not parts:
            yield name, pinned, verdict
        case Passed(parts=parts) | Part(passed=parts):
            for platform, part in parts.items():
                yield f"{name}-{platform.replace('/', '-')}", part.pinned, part.verdict
        case Refused(verdict=verdict, pinned=pinned):
            yield name, pinned, verdict
        case _:
            pass


async def _sbom(registry: Registry, name: str, pinned: Pinned) -> bytes | None:
    try:
        found = await papers.find(registry, pinned, CYCLONEDX)
    except RegistryFault as fault:
        aside(f"warning: the SBOM of {name} is not among the reports: {fault}")
        return None
    return found[0] if found else None


def _file(found: Matter, target: Target) -> str:
    """What has to be edited: its Dockerfile, or where it has none its spec."""
    return f"{target.context}/{target.dockerfile}" if target.context else found.graph.resources[target.ref].document.path
