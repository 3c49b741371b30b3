"""Repository: the source at its commits, and what git knows about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from reconciler.adapters.git import listing, standing, writing
from reconciler.adapters.git.process import Git, GitFailed, GitMissing
from reconciler.core import paths
from reconciler.model.documents import SourceTree
from reconciler.ports import Commit, Packed, SourceUnavailable, Standing

_REVISION = re.compile(r"(?!.*\.\.)(?!.*//)[A-Za-z0-9_@][A-Za-z0-9_./@{}~^+-]{0,249}")
_FORMAT = "%H%n%an <%ae>%n%aI%n%s"
"""None of these can hold a line end."""


_FOREIGN = "dubious ownership"
_NO_REPOSITORY = (_FOREIGN, "not a git repository", "cannot change to")
"""What git says (in the C locale) where it reads nothing at all."""
_NO_WORK_TREE = "must be run in a work tree"
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
"""Of a commit whose date is not one; git stores what it is given."""


class Repository:
    """The git repository that `root` lies in (or is, where it is bare). Paths count from `root`."""

    def __init__(self, root: Path) -> None:
        self._git = Git(root)

    @classmethod
    def around(cls, root: Path) -> Repository | None:
        """The repository of a work tree that `root` lies in, if it lies in one. Asks no git, which may be missing."""
        root = root.resolve()
        return cls(root) if any((folder / ".git").exists() for folder in (root, *root.parents)) else None

    def tree(self, revision: str | None = None) -> SourceTree:
        """The source at a commit, HEAD by default, read without a work tree. Raises SourceUnavailable."""
        return listing.source_tree(self._git, self.resolve(revision or "HEAD"))

    def read(self, path: str, revision: str | None = None) -> bytes | None:
        """One file at a commit; None where there is none. Raises SourceUnavailable."""
        if reason := paths.refusal(path):
            raise SourceUnavailable(f"{paths.shown(path)} is not read: {reason}")
        return listing.one_file(self._git, self.resolve(revision or "HEAD"), path)

    def standing(self) -> Standing | None:
        """How the work tree stands to HEAD; None where there is no repository or work tree, no commit, or git refuses to look."""
        try:
            return standing.standing(self._git)
        except GitFailed as fault:
            if any(words in str(fault) for words in (*_NO_REPOSITORY, _NO_WORK_TREE)):
                return None
            raise SourceUnavailable(f"git cannot tell what is edited. It said: {fault}") from None
        except GitMissing:
            return None

    def resolve(self, revision: str) -> str:
        """The full id of a commit by any of its names. Raises SourceUnavailable."""
        if not _REVISION.fullmatch(revision):
            raise SourceUnavailable(
                f"{paths.shown(revision)!r} is not a revision", "name a commit, a branch or a tag, such as HEAD~1 or origin/main"
            )
        try:
            found = self._git.read("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        except GitFailed as fault:
            raise self._unresolved(revision, fault) from None
        return found.decode().strip()

    def merge_base(self, branch: str, revision: str = "HEAD") -> str:
        """The commit where `revision` left `branch`: what a pull request is compared with. Raises SourceUnavailable."""
        ends = self.resolve(branch), self.resolve(revision)
        try:
            return self._git.read("merge-base", *ends).decode().strip()
        except GitFailed:
            raise SourceUnavailable(
                f"{branch} and {revision} have no common commit", "in a shallow clone, fetch more: git fetch --unshallow"
            ) from None

    def log(self, path: str, limit: int = 20, revision: str = "HEAD") -> tuple[Commit, ...]:
        """The newest commits that touch a path (`.` for all). Raises SourceUnavailable."""
        at = self.resolve(revision)
        out = self._git.read("log", "-z", f"--max-count={limit:d}", f"--format={_FORMAT}", at, "--", path)
        return tuple(_commit(line) for line in out.decode(errors="replace").split("\0") if line)

    def changed(self, before: str, after: str | None = None) -> tuple[str, ...]:
        """Paths under `root` that differ between two commits, or a commit and the work tree. Raises SourceUnavailable."""
        ends = [self.resolve(before)] + ([self.resolve(after)] if after else [])
        out = self._git.read("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", *ends, "--", ".")
        return tuple(path.decode(errors="replace") for path in out.split(b"\0") if path)

    def commit_edit(self, path: str, data: bytes, message: str, before: bytes | None = None) -> Commit:
        """Make `data` the content of exactly one committed file. Raises CommitRefused and leaves everything as it was."""
        return _commit(writing.commit_edit(self._git, path, data, message, before, _FORMAT), self._branch())

    def commit_restore(self, names: Iterable[str], revision: str, message: str) -> Commit:
        """Put these files and folders back as they were at `revision`, as one commit. Raises CommitRefused, SourceUnavailable."""
        return _commit(writing.commit_restore(self._git, tuple(names), self.resolve(revision), message, _FORMAT), self._branch())

    def ignores(self, path: str) -> bool:
        """Whether git is told to keep no versions of this file: it stands for itself at every commit."""
        try:
            return bool(self._git.read("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", path))
        except (GitFailed, GitMissing):
            return False

    def would_ignore(self, path: str) -> bool:
        """Whether git is told to keep no versions of a file that is not there yet."""
        try:
            # It takes no patterns anyway, and refuses to be told that it should not.
            return bool(self._git.read("--no-literal-pathspecs", "check-ignore", "--", path))
        except (GitFailed, GitMissing):
            return False

    def ignored(self, folders: Iterable[str]) -> frozenset[str]:
        """Files of these folders that git is told to keep no versions of."""
        try:
            listed = self._git.read("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", *folders)
        except (GitFailed, GitMissing):
            return frozenset()
        return frozenset(path.decode("utf-8", "surrogateescape") for path in listed.split(b"\0") if path)

    def contexts(self, folders: Iterable[str], revision: str | None = None) -> Mapping[str, Packed]:
        """All files of these folders at a commit, with their bytes. Raises SourceUnavailable."""
        return listing.packed(self._git, self.resolve(revision or "HEAD"), tuple(folders))

    def is_shallow(self) -> bool:
        """Whether commits of the past are missing here. Raises SourceUnavailable."""
        try:
            return self._git.read("rev-parse", "--is-shallow-repository").strip() != b"false"
        except GitFailed as fault:
            raise SourceUnavailable(f"git does not say whether history is whole: {fault}", "run it in a clone") from None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set these in the configuration of this clone. Raises SourceUnavailable."""
        try:
            for name, value in settings.items():
                self._git.write("config", "--local", name, value)
        except GitFailed as fault:
            raise SourceUnavailable(f"git could not be configured: {fault}", "run it in a clone that you may write to") from None

    def author(self) -> str:
        """The name that git signs commits here with; empty where it knows none."""
        try:
            return self._git.read("var", "GIT_AUTHOR_IDENT").decode(errors="replace").rpartition(" <")[0]
        except GitFailed:
            return ""

    def _branch(self) -> str:
        try:
            return self._git.read("symbolic-ref", "--quiet", "--short", "HEAD").decode().strip()
        except GitFailed:
            return ""

    def _unresolved(self, revision: str, fault: GitFailed) -> SourceUnavailable:
        said = str(fault)
        if _FOREIGN in said:
            return SourceUnavailable(
                f"git does not read {self._git.root}: it belongs to somebody else",
                f"git config --global --add safe.directory {self._git.root}",
            )
        if any(words in said for words in _NO_REPOSITORY):
            return SourceUnavailable(f"{self._git.root} is in no git repository", "keep the fleet in a git repository")
        return SourceUnavailable(
            f"there is no revision {revision} here", "fetch it first: git fetch origin " + revision.removeprefix("origin/")
        )


def _commit(line: str, branch: str = "") -> Commit:
    commit, author, when, subject = (*line.split("\n", 3), "")[:4]
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        moment = _NO_DATE
    return Commit(commit, author, moment, subject, branch)
