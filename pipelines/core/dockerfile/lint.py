"""Lint: a Dockerfile held against its spec and against what images of the fleet are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from pipelines.core.dockerfile import codes
from pipelines.core.dockerfile.closing import Inherited, closing
from pipelines.core.dockerfile.ends import ended, releases
from pipelines.core.dockerfile.outside import Outside, outside
from pipelines.core.dockerfile.parse import parse
from pipelines.core.dockerfile.steps import Look, step_findings
from pipelines.model.dockerfile import Dockerfile
from reconciler.kinds.image.spec import From
from reconciler.model.findings import Code, Finding, ordered
from reconciler.model.refs import Ref


@dataclass(frozen=True, slots=True)
class Around:
    """What a Dockerfile stands in."""

    subject: Ref
    start: str
    """What its last FROM must name: see `start_of`."""
    today: date
    args: Mapping[str, str] = field(default_factory=dict)
    fleet: frozenset[str] = frozenset()
    """Names of all images of the fleet."""
    inherited: Inherited = field(default_factory=Inherited)
    """What the image that it starts from has settled: `settled` of its Dockerfile."""
    runs: bool = True
    """Services run it, or might: nothing else of the fleet starts from it."""


def start_of(start: From) -> str:
    """How the `from` of a spec is written behind FROM."""
    if start.debian is not None:
        return f"debian:{start.debian.suite}"
    return start.image or start.registry or ""


def lint(text: str, path: str, around: Around) -> tuple[Finding, ...]:
    """Every finding on a Dockerfile, by place."""
    file = parse(text, path)
    found = list(file.findings)
    if file.stages:
        found += [*_starts(file, around), *_steps(file, around)]
        found += closing(file, around.inherited, around.runs)
    return ordered(replace(finding, subject=around.subject) for finding in found)


def _starts(file: Dockerfile, around: Around) -> Iterator[Finding]:
    last = file.stages[-1]
    mentions = outside(file, around.args)
    for mention in mentions:
        at_start = mention.by == "FROM" and mention.stage == last.position
        yield from _mention(file, mention, at_start, around)
    starts = [mention.image for mention in mentions if mention.by == "FROM" and mention.stage == last.position]
    named = starts[0] if starts else last.base.text
    if named and named not in (around.start, around.start.partition("@")[0]):
        yield _at(file, codes.START, last.base.start, f"FROM names {named}, the spec {around.start}", f"write `FROM {around.start}`")


def _mention(file: Dockerfile, mention: Outside, at_start: bool, around: Around) -> Iterator[Finding]:
    word = mention.word
    if not mention.image:
        fix = "give the ARG a default in front of the first FROM" if mention.by == "FROM" else "write the image itself"
        yield _at(file, codes.UNDEFINED, word.start, f"{word.text} has no value here", fix)
        return
    for release in releases(mention.image):
        if end := ended(release, around.today):
            yield _at(
                file,
                codes.PAST_END,
                word.start,
                f"{mention.image}: {release} had its last fix on {end}",
                "move to a release that is kept up",
            )
    if not at_start and not mention.has_digest and mention.image not in around.fleet:
        yield _at(file, codes.NO_DIGEST, word.start, f"{mention.image} has no digest", "add the digest: `REF@sha256:...`")


def _steps(file: Dockerfile, around: Around) -> Iterator[Finding]:
    for stage in file.stages:
        last = stage is file.stages[-1]
        look = Look(file, last, around.start in around.fleet and last, around.today)
        for step in (stage.start, *stage.steps):
            yield from step_findings(look, step)
    for instruction in file.defaults:
        yield from step_findings(Look(file, False, False, around.today), instruction)


def _at(file: Dockerfile, code: Code, offset: int, message: str, fix: str) -> Finding:
    return code.at(file.place(offset), message, fix)
