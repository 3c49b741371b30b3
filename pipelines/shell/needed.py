"""Needed: gathers what of the registries somebody needs - locks of every environment and of the past, holds, keys, what runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pipelines.core.garbage import Needed, digests_in
from pipelines.core.uses import holds
from pipelines.flow.build.starts import ROOTS
from pipelines.model.oci import Repository
from pipelines.model.reference import BadReference, parse_reference, parse_repository
from pipelines.shell.matter import Matter, matter
from reconciler.core.locking import read_lock
from reconciler.model.fleet import Environment
from reconciler.model.lock import Lock
from reconciler.ports import Cluster, SourceUnavailable
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal
from reconciler.shell.workspace import Workspace

PODS = (("apps", "Deployment"), ("apps", "StatefulSet"), ("batch", "CronJob"), ("batch", "Job"))
MOST = 100_000
"""Commits of one lock that are looked at."""


@dataclass(slots=True)
class Gathered:
    """What is known while it is gathered."""

    digests: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    tags: dict[tuple[Repository, str], str] = field(default_factory=dict)
    dates: dict[str, date] = field(default_factory=dict)
    places: dict[Repository, set[str]] = field(default_factory=dict)
    """Every repository that is ours, and the digests that are known to have stood there."""

    @property
    def needed(self) -> Needed:
        """All of it."""
        return Needed(self.digests, self.tags, self.keys)

    def lock(self, where: Environment, lock: Lock, why: str) -> None:
        """A lock that could be read."""
        for name, builds in lock.images.items():
            for build in builds.builds:
                self.digests.setdefault(build.digest, why)
                self.known(where, name, build.digest)
                self.dates[build.digest] = max(build.built, self.dates.get(build.digest, build.built))
                if build.key:
                    self.keys.setdefault(build.key, why)
        for base in lock.bases.values():
            self.digests.setdefault(base.digest, why)
            self.keys.setdefault(base.digest, why)

    def known(self, where: Environment, name: str, *digests: str) -> None:
        """A repository of an environment, and its twin in the cache."""
        for base in (where.registry, where.cache):
            self.places.setdefault(parse_repository(f"{base}/{name}"), set()).update(digests)


def gathered(workspace: Workspace, repo: Path | None, days: int) -> tuple[Gathered, tuple[Matter, ...]]:
    """What locks, history, holds and files need. Refuses where any of them cannot be read: what is not known cannot be kept."""
    found = Gathered()
    spec = workspace.reading.fleet.spec
    matters = tuple(matter(repo, name) for name in (spec.environments if spec else ()))
    for one in matters:
        if one.lock.broken:
            raise Refusal(f"{one.where.lock} has an error in {', '.join(sorted(one.lock.broken))}", "fleet lint shows where", Exit.FINDINGS)
        if broken := sorted(map(str, one.graph.fleet.broken)):
            raise Refusal(f"{broken[0]} cannot be read, and may hold a build", "fleet lint shows where", Exit.FINDINGS)
        found.lock(one.where, one.lock, one.where.lock)
        found.known(one.where, ROOTS)
        for decided in one.decided():
            found.known(one.where, decided.target.name)
            if decided.key:
                found.keys.setdefault(decided.key, "the key of its files")
        for image, tag in holds(one.graph):
            found.tags[parse_repository(f"{one.where.registry}/{image}"), tag] = "a hold names it"
        _history(workspace, one.where, days, found)
    return found, matters


def _history(workspace: Workspace, where: Environment, days: int, found: Gathered) -> None:
    """Locks of commits of so many days, and the one before them. A text that cannot be read needs every digest in it."""
    repository = workspace.repository
    if not days or repository.ignores(where.lock) or type(repository).around(workspace.root) is None:
        return
    try:
        if repository.is_shallow():
            raise Refusal("history is not all here: this clone is shallow", "git fetch --unshallow, or --history 0", Exit.FINDINGS)
        for commit in repository.log(where.lock, MOST):
            text = (repository.read(where.lock, commit.id) or b"").decode(errors="replace")
            why = f"{where.lock} of {commit.id[:7]}"
            lock, _ = read_lock(where.lock, text.encode())
            found.lock(where, lock, why)
            for digest in digests_in(text):
                found.digests.setdefault(digest, why)
                found.keys.setdefault(digest, why)
            if commit.when.date() < workspace.today - timedelta(days=days):
                break
    except SourceUnavailable as gone:
        raise Refusal(f"history cannot be read: {gone}", gone.fix, Exit.FINDINGS) from None


async def run_by(cluster: Cluster, where: Environment, found: Gathered) -> None:
    """What pods of a target run, ours or not. Raises Unreachable of the reconciler."""
    for observed in await cluster.list({}, PODS):
        for text in _images(observed.body):
            try:
                reference = parse_reference(text)
            except BadReference:
                continue
            if reference.digest:
                found.digests.setdefault(reference.digest, f"runs in {where.name}")
            else:
                found.tags.setdefault((reference.repository, reference.wanted), f"runs in {where.name}")


def _images(value: object) -> Iterable[str]:
    """Every `image` of a container, wherever in an object it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)
