"""A source as a command opens it: the repository around a folder and its files, read once. Nothing of them is understood yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from reconciler.adapters.files import WorkTree
from reconciler.adapters.git import Repository
from reconciler.model.documents import FLEET_FILE, SourceTree
from reconciler.ports import SourceUnavailable
from reconciler.shell.refusal import Refusal


@dataclass(frozen=True)
class Opened:
    """A repository at one revision (None: the work tree)."""

    root: Path
    source: WorkTree
    repository: Repository
    revision: str | None
    tree: SourceTree
    today: date


def open_source(start: Path | None = None, revision: str | None = None) -> Opened:
    """What lies around a folder: the nearest one upwards with a `fleet.yaml`. Refuses what cannot be read."""
    root = find_root(start or Path.cwd())
    repository = Repository(root)
    source = WorkTree(root, Repository.around(root))
    try:
        tree = source.tree(revision)
    except SourceUnavailable as gone:
        raise Refusal(str(gone), gone.fix) from None
    return Opened(root, source, repository, revision, tree, datetime.now(UTC).date())


def find_root(start: Path) -> Path:
    """The nearest folder upwards with a `fleet.yaml`; `start` itself where there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / FLEET_FILE).is_file()), start)
