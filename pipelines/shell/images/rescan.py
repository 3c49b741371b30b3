"""`fleet images rescan`: judge what is built and what runs by what is known today."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.alerts import alerts
from pipelines.core.policies import policies
from pipelines.core.rescan import News, news, tell_news
from pipelines.core.standing import Standing, standing
from pipelines.flow.remember import Remembered, remember, said
from pipelines.flow.rescan import Again, Judges, Known, Unjudged, rescan
from pipelines.model.oci import Pinned
from pipelines.model.reference import parse_repository
from pipelines.model.verdict import Judged
from pipelines.shell import equipment
from pipelines.shell.matter import Matter, matter
from pipelines.shell.tidings import Tidings, spread
from reconciler.core.suggest import did_you_mean
from reconciler.model.findings import Place
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped


@click.command(name="rescan")
@click.argument("names", nargs=-1)
@click.option("--jobs", type=click.IntRange(1, 64), help="How many scanners at once.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the result there instead of stdout.")
@click.option(
    "--notify",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Tell `notifications` of fleet.yaml what is new (topic `vulnerable`), with the secrets in DIR; the same is told once.",
)
@output_option("text", "json", "sarif")
@environment_option
@repository_option
def command(
    names: tuple[str, ...], jobs: int | None, out: Path | None, notify: Path | None, output: str, env: str | None, repo: Path | None
) -> None:
    """Judge the SBOMs of what the lock's current and held builds are, and of what runs, by today's vulnerabilities and policies.

    Says what is new since the verdict that the lock names. Builds nothing and changes nothing. Exit code 1 when something fails the gate now,
    3 when something could not be judged.

    \b
    Example: fleet images rescan --env production -o sarif --out rescan.sarif
    """
    found = matter(repo, env)
    stand = standing(found.graph, _known(found, names))
    again = run(lambda stop: unless_stopped(stop, _rescan(found, stand, jobs or equipment.scanners())))
    heard = [
        news(one.known.pinned.digest, one.before, one.verdict, each.services)
        for each, one in zip(stand, again, strict=True)
        if isinstance(one, Again)
    ]
    lost = [one for one in again if isinstance(one, Unjudged)]
    _write(_shown(output, found, stand, again, heard), out)
    for one in lost:
        aside(f"error: {one.known.image} {one.known.pinned.digest[:19]}: there is no verdict: {one.message}")
        if one.fix:
            aside(f"help: {one.fix}")
    _remembered(found, stand, again)
    if notify is not None:
        run(lambda stop: unless_stopped(stop, spread(Tidings(found, notify), heard)))
    failing = any(not one.passed for one in heard)
    raise SystemExit(Exit.PARTLY if lost else Exit.FINDINGS if failing else Exit.OK)


def _known(found: Matter, names: Iterable[str]) -> tuple[str, ...]:
    """Refuses what the lock does not have."""
    for name in names:
        if name not in found.lock.images:
            raise Refusal(f"the lock has no build of {name}", did_you_mean(name, found.lock.images) or "fleet images build", Exit.USAGE)
    return tuple(names)


async def _rescan(found: Matter, stand: Iterable[Standing], jobs: int) -> tuple[Again | Unjudged, ...]:
    root, registry = equipment.blobs(), equipment.registry()
    judges = Judges(registry, equipment.scanner(root), equipment.now)
    known = [
        Known(
            one.image, Pinned(parse_repository(f"{found.where.registry}/{one.image}"), one.build.digest), one.build.sbom, one.build.verdict
        )
        for one in stand
    ]
    rules = policies(found.graph, found.targets, found.workspace.source.read)
    try:
        return await rescan(judges, known, rules, jobs)
    finally:
        await equipment.closed(registry)


def _remembered(found: Matter, stand: Iterable[Standing], again: Iterable[Again | Unjudged]) -> None:
    ledger = equipment.components(found.workspace.root)
    remember(
        ledger,
        (
            Remembered(each.image, each.build, one.sbom, said(one.verdict))
            for each, one in zip(stand, again, strict=True)
            if isinstance(one, Again)
        ),
    )


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text)
        return
    try:
        out.write_text(f"{text}\n")
    except OSError as fault:
        raise Refusal(f"{out} cannot be written: {fault.strerror}", "name another file", Exit.USAGE) from None


def _shown(output: str, found: Matter, stand: tuple[Standing, ...], again: tuple[Again | Unjudged, ...], heard: list[News]) -> str:
    match output:
        case "json":
            said = [_json(each, one) for each, one in zip(stand, again, strict=True)]
            return orjson.dumps(said, option=orjson.OPT_INDENT_2).decode()
        case "sarif":
            return _sarif(found, stand, again)
        case _:
            return _text(found, again, heard)


def _text(found: Matter, again: tuple[Again | Unjudged, ...], heard: list[News]) -> str:
    judged = [one for one in again if isinstance(one, Again)]
    lines = list(tell_news(heard, found.heirs()))
    failing = sorted({one.known.image for one in judged if not one.verdict.passed})
    by = f" by {judged[0].verdict.scanner} with a database of {judged[0].verdict.database}" if judged else ""
    state = f"{', '.join(failing)} would not pass the gate today" if failing else "all would pass the gate today"
    lines.append(f"{len(judged)} of {len(again)} builds judged{by}; {state if judged else 'nothing is known'}")
    return "\n".join(lines)


def _json(each: Standing, one: Again | Unjudged) -> dict[str, Any]:
    said: dict[str, Any] = {
        "image": each.image,
        "digest": each.build.digest,
        "tag": each.build.tag,
        "current": each.is_current,
        "services": each.services,
    }
    if isinstance(one, Unjudged):
        return {**said, "verdict": None, "fault": one.message, "help": one.fix}
    told = news(each.build.digest, one.before, one.verdict, each.services)
    verdict = one.verdict
    return {
        **said,
        "verdict": "passed" if verdict.passed else "failed",
        "turned": told.turned,
        "day": verdict.day.isoformat(),
        "scanner": verdict.scanner,
        "database": verdict.database,
        "policy": verdict.policy,
        "before": one.before.day.isoformat() if one.before else None,
        "new": [_judged(two) for two in told.new],
        "gone": [_judged(two) for two in told.gone],
        "failing": [_judged(two) for two in verdict.failing],
    }


def _judged(one: Judged) -> dict[str, Any]:
    vulnerability, package = one.vulnerability, one.vulnerability.package
    return {
        "id": vulnerability.id,
        "level": vulnerability.level,
        "package": package.name,
        "source": package.source or package.name,
        "version": package.version,
        "fixed": vulnerability.fixed or None,
        "owner": one.owner,
        "stance": one.stance.value,
        "because": one.because,
    }


def _sarif(found: Matter, stand: tuple[Standing, ...], again: tuple[Again | Unjudged, ...]) -> str:
    from importlib.metadata import version

    from reconciler.shell.report.sarif import sarif

    runs: dict[str, tuple[str, ...]] = {}
    for each in stand:
        runs[each.image] = (*runs.get(each.image, ()), *each.services)
    resources = {target.name: found.graph.resources[target.ref] for target in found.targets}
    places = {name: one.document.place(("spec",)) for name, one in resources.items()}
    plain = {name: Place(place.path, place.line, place.column) for name, place in places.items()}
    made = alerts([one.verdict for one in again if isinstance(one, Again)], plain, runs)
    return sarif(made.findings, made.codes, version("fleetwright")).rstrip("\n")
