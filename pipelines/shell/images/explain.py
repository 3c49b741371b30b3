"""`fleet images explain`: what a build is, from which commit and by whom, why it passed, and where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.provenance import Origin
from pipelines.core.verification import sentence
from pipelines.core.visible import visible
from pipelines.core.whereabouts import Whereabouts, matching, whereabouts
from pipelines.flow.story import Story, story
from pipelines.flow.verify import verify
from pipelines.model.oci import Pinned
from pipelines.model.trust import Subject, VerdictClaim, Verification
from pipelines.model.verdict import Allowance, Stance, Use, Verdict
from pipelines.ports import RegistryFault
from pipelines.shell import equipment
from pipelines.shell.signing import trusted_keys
from pipelines.shell.stock import repository
from reconciler.flow.fan import Stop
from reconciler.model.graph import Graph
from reconciler.shell.exits import Exit
from reconciler.shell.options import output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run, unless_stopped
from reconciler.shell.workspace import open_workspace


@click.command(name="explain")
@click.argument("build")
@output_option("text", "json")
@repository_option
def command(build: str, output: str, repo: Path | None) -> None:
    """Tell of one build what it is, from which commit and by whom, why it passed its gate, who signed it, and where it runs.

    BUILD is a digest or the beginning of one, or NAME:TAG, as a lock of any environment has it. What the registry says counts where the lock
    vouches for it: the lock names the verdict, the verdict names SBOM and provenance, each by digest.

    \b
    Example: fleet images explain family-web:20261121-068759a
    """
    workspace = open_workspace(repo)
    spec = workspace.reading.fleet.spec
    graphs = tuple(workspace.graph(workspace.environment(name)) for name in (spec.environments if spec else ("",)))
    name, digest = _one(graphs, build)
    places = tuple(whereabouts(graphs, name, digest))
    home = next(graph for graph in graphs if graph.environment.name == places[0].environment)
    told, checked = run(lambda stop: _looked(home, places[0], stop))
    if output == "json":
        click.echo(orjson.dumps(_json(places, told, checked), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(_lines(places, told, checked)))
    raise SystemExit(Exit.OK if told.claim is not None else Exit.FINDINGS)


def _one(graphs: tuple[Graph, ...], wanted: str) -> tuple[str, str]:
    found = dict.fromkeys((image, build.digest) for graph in graphs for image, build in matching(graph, wanted))
    if len(found) == 1:
        return next(iter(found))
    if found:
        many = ", ".join(f"{image}@{digest[:19]}" for image, digest in list(found)[:5])
        raise Refusal(f"{wanted[:100]} may be each of {many}", "give more of the digest", Exit.USAGE)
    raise Refusal(f"no lock names a build {wanted[:100]}", "fleet images list -o json has all of them", Exit.USAGE)


async def _looked(graph: Graph, place: Whereabouts, stop: Stop) -> tuple[Story, Verification | None]:
    """What hangs on it, and whether it verifies where keys are trusted. A registry that does not answer leaves both open."""
    subject = Subject(
        place.image, Pinned(repository(graph.environment, place.image), place.build.digest), place.build.verdict, place.build.sbom
    )
    keys, registry = trusted_keys(graph.environment), equipment.registry()
    try:
        told = await unless_stopped(stop, story(registry, subject))
        checked = (await unless_stopped(stop, verify(registry, [subject], keys, equipment.now().date())))[subject] if keys else None
    except RegistryFault as fault:
        return Story(None, None, None, (f"the registry could not be asked: {fault}",)), None
    finally:
        await equipment.closed(registry)
    return told, checked


def _lines(places: tuple[Whereabouts, ...], told: Story, checked: Verification | None) -> Iterator[str]:
    one = places[0]
    yield f"{one.image} {one.build.tag} {one.build.digest}"
    if told.origin is not None:
        yield from _made(told.origin)
    elif commit := one.build.tag.partition("-")[2]:
        yield f"  commit   {commit}, as its tag says"
    if one.build.key:
        yield f"  key      {one.build.key}"
    else:
        yield "  key      none: it was entered by hand"
    if told.claim is not None:
        yield from _judged(told.claim, told.verdict)
    if checked is not None:
        yield f"  checked  it {sentence(checked)[0]}"
    if one.build.bad:
        yield "  marked   bad: it never comes back as prev"
    yield from (f"  open     {visible(text, 500)}" for text in told.open)
    for place in places:
        users = [f"{ref.short}{' (held)' if ref in place.held else ''}" for ref in place.users]
        runners = f"run by {', '.join(users)}" if users else "nothing runs it"
        yield f"  {place.environment}: {place.stands}; {runners}"


def _made(origin: Origin) -> Iterator[str]:
    for one in origin.dependencies:
        word = {"source": "commit", "parent": "from", "base": "from"}.get(one.role, one.role)
        yield f"  {visible(word):8} {visible(one.uri)} {visible(one.digest)}"
    spec = origin.parameters.get("spec")
    if isinstance(spec, str):
        yield f"  spec     {visible(spec)}"
    yield f"  by       {visible(origin.builder)}" + (f", {visible(origin.run)}" if origin.run else "")


def _judged(claim: VerdictClaim, verdict: Verdict | None) -> Iterator[str]:
    state = "passed" if claim.passed else "failed"
    numbers = [f"{sum(levels.values())} {visible(stance)}" for stance, levels in claim.counts.items() if sum(levels.values())]
    day = f" on {verdict.day}" if verdict else ""
    yield f"  gate     {state}{day} by {visible(claim.scanner)}, database of {visible(claim.database)} ({', '.join(numbers) or 'nothing found'})"
    yield f"  sbom     {claim.sbom}"
    if verdict is None:
        return
    for use in verdict.waivers:
        if use.use is Use.USED:
            one = use.allowance
            yield f"  waived   {visible(one.id)} in {visible(one.image)} by {visible(one.owner)} until {one.until}: {visible(one.reason)}"
    unaffected = sorted({one.vulnerability.id for one in verdict.judged if one.stance is Stance.UNAFFECTED})
    if unaffected:
        yield f"  vex      {len(unaffected)} said not to affect it: {', '.join(map(visible, unaffected[:5]))}"


def _json(places: tuple[Whereabouts, ...], told: Story, checked: Verification | None) -> dict[str, Any]:
    one, origin, claim = places[0], told.origin, told.claim
    return {
        "image": one.image,
        "tag": one.build.tag,
        "digest": one.build.digest,
        "key": one.build.key or None,
        "built": one.build.built.isoformat(),
        "bad": one.build.bad,
        "origin": origin
        and {
            "builder": origin.builder,
            "run": origin.run,
            "parameters": dict(origin.parameters),
            "dependencies": [{"role": dep.role, "uri": dep.uri, "digest": dep.digest} for dep in origin.dependencies],
        },
        "verdict": claim
        and {
            "passed": claim.passed,
            "scanner": claim.scanner,
            "database": claim.database,
            "policy": claim.policy,
            "sbom": claim.sbom,
            "counts": {stance: dict(levels) for stance, levels in claim.counts.items()},
            "waived": [_waiver(use.allowance) for use in told.verdict.waivers if use.use is Use.USED] if told.verdict else [],
        },
        "verified": checked and {"result": type(checked).__name__.lower(), "says": sentence(checked)[0]},
        "open": list(told.open),
        "environments": [
            {
                "environment": place.environment,
                "stands": place.stands,
                "runBy": [str(ref) for ref in place.users],
                "held": sorted(str(ref) for ref in place.held),
            }
            for place in places
        ],
    }


def _waiver(one: Allowance) -> dict[str, str]:
    return {"id": one.id, "image": one.image, "owner": one.owner, "reason": one.reason, "until": one.until.isoformat()}
