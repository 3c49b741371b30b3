"""The workspace: the repository that a command works on, from its files to a graph. The one place where source and core meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from reconciler.adapters.files import WorkTree
from reconciler.adapters.git import Repository
from reconciler.core.codes.lock import UNREAD
from reconciler.core.environment import environment
from reconciler.core.locking import BROKEN, read_lock
from reconciler.core.policy import policy
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding, understand
from reconciler.kinds import KINDS
from reconciler.model.findings import Finding, Place, errors, ordered
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.holds import Hold
from reconciler.model.lock import Lock
from reconciler.model.refs import Ref
from reconciler.ports import SourceUnavailable
from reconciler.shell.exits import Exit
from reconciler.shell.opened import Opened, open_source
from reconciler.shell.refusal import refused_by


@dataclass(frozen=True)
class Workspace:
    """A repository at one revision (None: the work tree), read once."""

    root: Path
    source: WorkTree
    repository: Repository
    revision: str | None
    reading: Understanding
    today: date
    _locks: dict[str, bytes | None] = field(default_factory=dict, repr=False, compare=False)

    def environment(self, name: str | None) -> Environment:
        """The environment of that name. Refuses an unknown one, or a `fleet.yaml` that does not stand."""
        if self.reading.fleet.spec is None:
            raise refused_by(errors(self.reading.findings)[0], Exit.FINDINGS)
        found = environment(self.reading.fleet, name)
        if isinstance(found, Finding):
            raise refused_by(found)
        return found

    def lock(self, where: Environment) -> tuple[Lock, tuple[Finding, ...]]:
        """The environment's lock; empty while its file is not there. One that git ignores, as the trial's, holds for every revision."""
        try:
            data = self.lock_file(where.lock)
        except SourceUnavailable as gone:
            fix = gone.fix or "put the file itself there, or correct `lock` in fleet.yaml"
            return BROKEN, (UNREAD.at(Place(where.lock, 1, 1), str(gone), fix, Ref("Lock", where.lock)),)
        return read_lock(where.lock, data) if data is not None else (Lock(), ())

    def lock_file(self, path: str) -> bytes | None:
        """The bytes of a lock, which are the same however often they are asked for; None while there is no file. Raises SourceUnavailable."""
        if path in self.reading.tree.files:
            return self.reading.tree.files[path]
        if path not in self._locks:
            self._locks[path] = self.source.read(path, None if self.repository.ignores(path) else self.revision)
        return self._locks[path]

    def resolved(self, where: Environment) -> Graph:
        """The graph in an environment, not judged by any policy."""
        lock, about_lock = self.lock(where)
        reading = self.reading
        graph = resolve(reading.fleet, KINDS, reading.linking, where, lock, reading.tree, self.today, findings=reading.findings)
        return _with(graph, ordered((*reading.findings, *about_lock, *graph.findings)))

    def graph(self, where: Environment, forced: Mapping[Ref, Hold] | None = None) -> Graph:
        """The graph in an environment. Its findings are all there are: of specs, lock, environment and policy."""
        lock, about_lock = self.lock(where)
        reading = self.reading
        graph = resolve(
            reading.fleet, KINDS, reading.linking, where, lock, reading.tree, self.today, forced=forced, findings=reading.findings
        )
        rules = policy(graph, KINDS, self.today)
        return _with(graph, ordered((*reading.findings, *about_lock, *graph.findings, *rules)))


def _with(graph: Graph, findings: tuple[Finding, ...]) -> Graph:
    return replace(graph, findings=findings)


def open_workspace(start: Path | None = None, revision: str | None = None) -> Workspace:
    """The workspace around a folder: the nearest one upwards with a `fleet.yaml`."""
    return understood(open_source(start, revision))


def understood(opened: Opened) -> Workspace:
    """The workspace that a source makes which has been read."""
    return Workspace(opened.root, opened.source, opened.repository, opened.revision, understand(opened.tree, KINDS), opened.today)
