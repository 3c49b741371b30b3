"""Outfit: what a build needs of the world, and what it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from pipelines.core.decide import Outside
from pipelines.model.oci import Repository, below
from pipelines.model.recipe import Files, Target
from pipelines.model.verdict import Policy
from pipelines.ports import Bases, Bills, Builder, Desk, Images, Registry, Scanner, Secret, Watcher
from reconciler.model.lock import Lock
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Outfit:
    """What is used."""

    registry: Registry
    builder: Builder
    scanner: Scanner
    images: Images
    bases: Bases
    bills: Bills
    desk: Desk
    watcher: Watcher
    now: Callable[[], datetime]
    prepare: Callable[[], None] = lambda: None
    """Gets ready what takes a while and is needed later: called once, in a thread, as soon as something is really built."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be built, of what, and where it goes."""

    targets: tuple[Target, ...]
    """All that the fleet builds, parents before children."""
    names: frozenset[str]
    """What of it was asked for, with all that it starts from."""
    contexts: Mapping[str, Files]
    policies: Mapping[str, Policy]
    """What each must pass, by name."""
    smokes: Mapping[str, tuple[str, ...]]
    """The command that must succeed in each."""
    lock: Lock
    registry: str
    cache: str
    revision: str
    """The commit, full; `-dirty` behind it where files are not as committed."""
    builder: str
    """Who vouches: the URI of a workflow, or of a machine."""
    engine: str
    run: str
    outside: Outside
    secrets: tuple[Secret, ...] = ()
    jobs: int = 2
    force: bool = False
    """Build what the lock and the cache have, too."""
    platform: str = ""
    """Build for this one only: what an image has for others is taken from the cache. Empty for all."""
    builds: bool = True
    """Else all is taken from the cache."""
    pushes: bool = True
    """Else no registry has what this build makes: builders get parents as folders."""

    def may_build(self, platform: str) -> bool:
        """Whether an image that the cache does not have is built here."""
        return self.builds and self.platform in ("", platform)

    def repository(self, name: str) -> Repository:
        """Where an image is published."""
        return below(self.registry, name)

    def shelf(self, name: str) -> Repository:
        """Where its builds are kept under their keys."""
        return below(self.cache, name)
