"""Matter: what of the repository builds are about - targets, files, policies - read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.core.contexts import contexts, folders
from pipelines.core.decide import Unclear, decide
from pipelines.core.dockerfile.outside import outside
from pipelines.core.dockerfile.parse import parse
from pipelines.core.targets import descendants, lineage, targets
from pipelines.model.decision import Decided
from pipelines.model.recipe import Files, Recipe, Target
from pipelines.shell.contexts import found
from reconciler.core.environment import environment
from reconciler.core.locking import read_lock
from reconciler.core.resolve import resolve
from reconciler.core.understand import understand
from reconciler.kinds import KINDS
from reconciler.model.findings import Finding, errors
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.lock import Lock
from reconciler.model.value import dataclass
from reconciler.ports import Packed, SourceUnavailable
from reconciler.shell.exits import Exit
from reconciler.shell.opened import Opened, open_source
from reconciler.shell.refusal import Refusal, refused_by
from reconciler.shell.workspace import Workspace, understood


@dataclass(frozen=True, slots=True)
class Matter:
    """One repository in one environment."""

    workspace: Workspace
    where: Environment
    graph: Graph
    lock: Lock
    targets: tuple[Target, ...]
    contexts: Mapping[str, Files]
    """Of each target that has one, by its name."""
    packed: Mapping[str, Packed]
    """The files of all of them, by path from the root."""

    def decided(self, *, told: bool = True) -> tuple[Decided, ...]:
        """What is to be done about each image, by files and lock alone. `told`: with what changed since the last build, out of history."""
        return decide(self.targets, self.contexts, self.bases, self.lock, mentions, self._was if told else _untold)

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder that some build sees."""
        return tuple(sorted(folders(self.targets)))

    @property
    def bases(self) -> dict[str, str]:
        """What references of external bases meant when they were looked up."""
        return {name: base.digest for name, base in self.lock.bases.items()}

    def lock_now(self) -> Lock:
        """The lock as its file is by now: this run may have written it."""
        data = self.workspace.source.read(self.where.lock)
        return read_lock(self.where.lock, data)[0] if data is not None else Lock()

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """These images and all that they start from; all, where none is named. Refuses unknown names."""
        every = {target.name for target in self.targets}
        asked = set(names)
        if unknown := sorted(asked - every):
            wrong = (one for one in errors(self.graph.findings) if one.subject is not None and one.subject.name == unknown[0])
            if finding := next(wrong, None):
                raise refused_by(finding, Exit.FINDINGS)
            raise Refusal(f"there is no image {unknown[0]} that is built", f"there is {', '.join(sorted(every))}", Exit.USAGE)
        return frozenset(above.name for name in asked or every for above in lineage(self.targets, name))

    def heirs(self) -> dict[str, int]:
        """By image, how many start from it, near or far."""
        return {target.name: len(descendants(self.targets, {target.name})) - 1 for target in self.targets}

    def _was(self, target: Target) -> Mapping[str, Recipe] | None:
        """The recipes of the lock's current build, as the commit in its tag had them."""
        builds = self.lock.builds(target.name)
        commit = builds.current.tag.partition("-")[2] if builds else ""
        try:
            return _at(self.workspace, self.where.name, commit, self.lock, target.name) if commit else None
        except (SourceUnavailable, Refusal):
            return None


def matter(repo: Path | None, env: str | None) -> Matter:
    """What is there to build. Refuses a fleet that does not stand, and contexts that cannot be read."""
    return of_source(open_source(repo), env)


def of_source(opened: Opened, env: str | None) -> Matter:
    """The same of a source that has been read."""
    workspace = understood(opened)
    where = workspace.environment(env)
    graph = workspace.resolved(where)
    lock, about = workspace.lock(where)
    if lock.is_broken:
        raise Refusal(
            f"{where.lock} cannot be read: {about[0].message if about else 'it has an error'}", "fleet lint shows where", Exit.FINDINGS
        )
    found = targets(graph)
    try:
        files = workspace.source.contexts(folders(found))
    except SourceUnavailable as gone:
        raise Refusal(str(gone), gone.fix, Exit.FINDINGS) from None
    return Matter(workspace, where, graph, lock, found, contexts(found, files), files)


def refuse_wrong(matter: Matter, names: frozenset[str]) -> None:
    """Refuses where a Dockerfile or a context of these has an error: what a builder makes of it nobody can tell."""
    subjects = {target.ref for target in matter.targets if target.name in names}
    for finding in errors(found(matter.targets, dict(matter.contexts), matter.graph, matter.workspace)):
        if finding.subject in subjects:
            raise refused_by(finding, Exit.FINDINGS)


def mentions(text: str, target: Target) -> tuple[str, ...]:
    """Every image that a Dockerfile takes something from besides the one it starts from. Raises Unclear."""
    file = parse(text, f"{target.context}/{target.dockerfile}")
    if not file.stages:
        raise Unclear(f"{file.path} has no FROM")
    own = {target.literal, target.literal.partition("@")[0]}
    found = dict.fromkeys(mention.image for mention in outside(file, target.args))
    if "" in found:
        raise Unclear(f"{file.path} names an image by a variable that has no value")
    return tuple(name for name in found if name not in own)


def _untold(_: Target) -> None:
    return None


def _at(workspace: Workspace, env: str, commit: str, lock: Lock, name: str) -> Mapping[str, Recipe] | None:
    tree = workspace.repository.tree(commit)
    reading = understand(tree, KINDS)
    where = environment(reading.fleet, env)
    if isinstance(where, Finding):
        return None
    graph = resolve(reading.fleet, KINDS, reading.linking, where, lock, tree, workspace.today)
    line = lineage(targets(graph), name)
    files = workspace.repository.contexts(folders(line), commit)
    bases = {base: found.digest for base, found in lock.bases.items()}
    for above in line[1:]:
        if (builds := lock.builds(above.name)) and (at := next((one for one in builds.builds if commit in one.tag), None)):
            bases[above.name] = at.digest
    then = decide(line[:1], contexts(line, files), bases, Lock(), mentions)
    return then[0].recipes or None
