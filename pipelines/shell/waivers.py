"""Waivers: what commands that write them have in common - judging what is there, and editing specs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date

from pipelines.core.policies import policies
from pipelines.core.targets import lineage
from pipelines.core.waive import Entry, waive
from pipelines.flow.candidates import candidates
from pipelines.flow.rescan import Again, Judges, Unjudged, rescan
from pipelines.model.oci import Repository
from pipelines.model.reference import parse_repository
from pipelines.shell import equipment
from pipelines.shell.matter import Matter
from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.edit import NotEdited
from reconciler.core.understand import understand
from reconciler.flow.fan import Stop
from reconciler.kinds import KINDS
from reconciler.model.findings import errors
from reconciler.model.value import dataclass
from reconciler.ports import CommitRefused
from reconciler.shell.aside import aside
from reconciler.shell.commits import committed
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal, refused_by
from reconciler.shell.session import run, unless_stopped


@dataclass(frozen=True, slots=True)
class Edited:
    """A spec with more waivers in it."""

    image: str
    path: str
    before: bytes
    data: bytes
    ids: tuple[str, ...]


def judged(found: Matter, names: Collection[str]) -> tuple[Again | Unjudged, ...]:
    """Verdicts of today on what is built of these images."""

    async def work(stop: Stop) -> tuple[Again | Unjudged, ...]:
        return await unless_stopped(stop, _judged(found, names))

    return run(work)


async def _judged(found: Matter, names: Collection[str]) -> tuple[Again | Unjudged, ...]:
    registry = equipment.registry()
    judges = Judges(registry, equipment.scanner(equipment.blobs()), equipment.now)
    decided = [one for one in found.decided() if one.target.name in names]

    def below(base: str, name: str) -> Repository:
        return parse_repository(f"{base}/{name}")

    try:
        known = await candidates(
            registry, decided, found.lock, lambda name: below(found.where.registry, name), lambda name: below(found.where.cache, name)
        )
        return await rescan(judges, known, policies(found.graph, found.targets, found.workspace.source.read), equipment.scanners())
    finally:
        await equipment.closed(registry)


def declared_in(found: Matter, image: str) -> str:
    """The image whose spec has the waivers: itself, or for a service's own build the image that it starts from."""
    line = lineage(found.targets, image)
    return next((target.name for target in line if target.ref.kind == "Image"), image)


def edited(found: Matter, entries: Mapping[str, Iterable[Entry]]) -> tuple[Edited, ...]:
    """The specs with these waivers, by image. Refuses what would not stand, before anything is written."""
    resources = {target.name: found.graph.resources[target.ref] for target in found.targets}
    made = []
    for image, some in sorted(entries.items()):
        path, wanted = resources[image].document.path, tuple(some)
        before = found.workspace.reading.tree.files[path]
        try:
            data = waive(path, before, wanted)
        except NotEdited as fault:
            raise refused_by(fault.finding, Exit.FINDINGS) from None
        made.append(Edited(image, path, before, data, tuple(one.id for one in wanted)))
    _must_stand(found, made)
    return tuple(one for one in made if one.data != one.before)


def _must_stand(found: Matter, made: Iterable[Edited]) -> None:
    tree = found.workspace.reading.tree
    changed = {one.path: one.data for one in made}
    again = understand(replace(tree, files={**tree.files, **changed}), KINDS)
    known = {(one.code, one.place.path, one.message) for one in found.workspace.reading.findings}
    for finding in errors(again.findings):
        if finding.place.path in changed and (finding.code, finding.place.path, finding.message) not in known:
            raise refused_by(finding, Exit.FINDINGS)


def written(found: Matter, specs: Iterable[Edited], *, commit: bool) -> None:
    """Into the work tree, or as a commit each; what somebody changed meanwhile is left as it is."""
    for one in specs:
        if commit:
            try:
                committed(found.workspace.repository.commit_edit(one.path, one.data, _message(one), one.before))
            except CommitRefused as refused:
                raise Refusal(str(refused), refused.fix, Exit.FINDINGS) from None
            continue
        try:
            rewrite(found.workspace.root / one.path, lambda now, one=one: _unchanged(one, now))  # type: ignore[misc]
        except LockNotWritten as fault:
            raise Refusal(str(fault), fault.fix, Exit.FINDINGS) from None
        aside(f"{one.path} is written; `git diff` shows it")


def _unchanged(one: Edited, now: bytes | None) -> bytes:
    if now != one.before:
        raise LockNotWritten(f"{one.path} has changed meanwhile; it is as it was", "run the command again")
    return one.data


def _message(one: Edited) -> str:
    what = one.ids[0] if len(one.ids) == 1 else f"{len(one.ids)} vulnerabilities"
    return f"waive {what} in {one.image}"


def day(text: str, today: date, option: str = "--until") -> date:
    """A day to come. Refuses others."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"{option}: {text!r} is not a date", "write it as 2026-12-02", Exit.USAGE) from None
    if found < today:
        raise Refusal(f"{option}: {text} is over", "name a day to come", Exit.USAGE)
    return found
