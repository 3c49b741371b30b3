"""Stock: the builds that one environment's lock names, and where the registry has them. For commands that build nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from pipelines.core.subjects import subjects
from pipelines.model.oci import Repository
from pipelines.model.reference import BadReference, parse_repository
from pipelines.model.trust import Subject
from reconciler.adapters.lockfile import LockNotWritten, rewrite
from reconciler.core.locking import TagTaken
from reconciler.core.relock import Change, NotLocked, NotRelocked, relock
from reconciler.core.suggest import did_you_mean
from reconciler.model.fleet import Environment
from reconciler.model.lock import Build, Builds, Lock
from reconciler.model.value import dataclass
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal
from reconciler.shell.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class Stock:
    """A repository, one of its environments, and that one's lock."""

    workspace: Workspace
    where: Environment
    lock: Lock

    def named(self, names: Iterable[str]) -> tuple[str, ...]:
        """These images, all where none is named, by name. Refuses what the lock does not have."""
        asked = sorted(set(names))
        for name in asked:
            if name not in self.lock.images:
                fix = did_you_mean(name, list(self.lock.images), "fleet images list shows what there is")
                raise Refusal(f"{self.where.lock} has no image {name[:100]}", fix, Exit.USAGE)
        return tuple(asked or sorted(self.lock.images))

    def builds(self, name: str) -> Builds:
        """The builds of an image that the lock has."""
        return self.lock.images[self.named([name])[0]]

    def build(self, name: str, wanted: str) -> Build:
        """One of them: by tag, by digest or the beginning of one, or `prev` or `current`. Refuses what is none."""
        builds = self.builds(name)
        digits = wanted.removeprefix("sha256:")
        if wanted in ("prev", "current"):
            found = [builds.current] if wanted == "current" else [builds.previous] if builds.previous else []
        else:
            found = [build for build in builds.builds if wanted == build.tag] or [
                build for build in builds.builds if len(digits) >= 7 and build.digest.startswith(f"sha256:{digits}")
            ]
        if len(found) != 1:
            tags = ", ".join(build.tag for build in builds.builds)
            raise Refusal(f"{name} has no build {wanted[:100]} in {self.where.lock}", f"there is {tags}", Exit.USAGE)
        return found[0]

    def subjects(self, names: Collection[str]) -> tuple[Subject, ...]:
        """Their builds, to be signed or verified."""
        return subjects(self.lock, self.where.registry, names) if names else ()

    def repository(self, name: str) -> Repository:
        """Where an image is published."""
        return repository(self.where, name)

    def change(self, change: Change) -> bool:
        """Rewrite the lock; whether it changed. Refuses where it cannot be."""
        return changed(self.workspace.root, self.where.lock, change)


def stock(repo: Path | None, env: str | None) -> Stock:
    """The stock of an environment. Refuses a fleet that does not stand, and a lock that cannot be read."""
    workspace = open_workspace(repo)
    return of_environment(workspace, workspace.environment(env))


def of_environment(workspace: Workspace, where: Environment) -> Stock:
    """The stock of an environment of a workspace that is open. Refuses a lock that cannot be read."""
    lock, about = workspace.lock(where)
    if lock.is_broken:
        said = about[0].message if about else "it has an error"
        raise Refusal(f"{where.lock} cannot be read: {said}", "fleet lint shows where", Exit.FINDINGS)
    if lock.broken:
        raise Refusal(f"{where.lock} has an error in {', '.join(sorted(lock.broken))}", "fleet lint shows where", Exit.FINDINGS)
    return Stock(workspace, where, lock)


def repository(where: Environment, name: str) -> Repository:
    """Where an image is published. Refuses a registry that is none."""
    try:
        return parse_repository(f"{where.registry}/{name}")
    except BadReference as wrong:
        raise Refusal(f"the registry of {where.name}: {wrong}", "correct `registry` in fleet.yaml", Exit.FINDINGS) from None


def changed(root: Path, path: str, change: Change) -> bool:
    """Rewrite the lock at `path` of a repository; whether it changed. Refuses where it cannot be, and leaves it as it was."""
    try:
        return rewrite(root / path, lambda data: relock(path, data, change))
    except (LockNotWritten, TagTaken, NotLocked) as fault:
        raise Refusal(f"{path} is as it was: {fault}", getattr(fault, "fix", ""), Exit.PARTLY) from None
    except NotRelocked as wrong:
        raise Refusal(f"{path} is as it was: {wrong}", "mend it, and run again", Exit.FINDINGS) from None
