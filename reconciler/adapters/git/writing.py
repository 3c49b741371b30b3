"""Edits as commits: exactly the files that are named, whatever else is staged, or nothing at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from reconciler.adapters.git.process import Git, GitFailed
from reconciler.core import paths
from reconciler.ports import CommitRefused

_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}


def commit_edit(git: Git, path: str, data: bytes, message: str, before: bytes | None, form: str) -> str:
    """Write `data` to one tracked file and commit only that; the line that `git log --format=FORM` gives for the commit.

    `before` is what the edit was made from: where the file has moved on since, nothing is written.
    """
    head = _ready(git, (path,))
    _require_tracked(git, path)
    file = git.root / path
    old = file.read_bytes()
    if before is not None and old != before:
        raise CommitRefused(f"{path} has changed meanwhile; nothing was written", "run the command again")
    if old == data:
        raise CommitRefused(f"{path} is already as asked; there is nothing to commit")
    try:
        _write(file, data)
        _commit(git, (path,), message)
    except BaseException:
        if _head(git) == head:
            _write(file, old)
        raise
    return _last(git, form)


def commit_restore(git: Git, names: tuple[str, ...], commit: str, message: str, form: str) -> str:
    """Make `names` what they were at `commit` (a full id), deletions too, and commit only those."""
    head = _ready(git, names)
    out = git.read("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", head, commit, "--", *names)
    differing = tuple(os.fsdecode(path) for path in out.split(b"\0") if path)
    if not differing:
        raise CommitRefused(f"{', '.join(names)} is already as at {commit[:12]}; there is nothing to commit")
    try:
        _restore(git, commit, differing)
        _commit(git, differing, message)
    except BaseException:
        if _head(git) == head:
            _restore(git, head, differing)
        raise
    return _last(git, form)


def _ready(git: Git, names: tuple[str, ...]) -> str:
    """HEAD, once nothing stands in the way of a commit of these paths."""
    for name in names:
        if name != "." and (reason := paths.refusal(name)):
            raise CommitRefused(f"{paths.shown(name)} is not edited: {reason}")
    head = _head(git)
    if not head:
        raise CommitRefused(f"there is no commit in {git.root} to build on", "commit the fleet to git first")
    if work := _under_way(git):
        raise CommitRefused(f"{work} is under way in this repository; nothing was written", "finish it or abort it first")
    changed = git.read("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *names)
    if changed:
        edited = ", ".join(sorted({paths.shown(os.fsdecode(line[3:])) for line in changed.split(b"\0") if line})[:5])
        raise CommitRefused(f"{edited} has changes that are not committed; nothing was written", "commit or stash them first")
    try:
        git.read("var", "GIT_COMMITTER_IDENT")
    except GitFailed:
        raise CommitRefused("git does not know who you are", "git config user.name NAME; git config user.email ADDRESS") from None
    return head


def _head(git: Git) -> str:
    try:
        return git.read("rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
    except GitFailed:
        return ""


def _under_way(git: Git) -> str:
    marks = git.read("rev-parse", *(part for mark in _UNDER_WAY for part in ("--git-path", mark))).decode().splitlines()
    return next((work for work, mark in zip(_UNDER_WAY.values(), marks, strict=True) if (git.root / mark).exists()), "")


def _require_tracked(git: Git, path: str) -> None:
    """A regular file that git has, and that really lies there (a sparse checkout or an ignored file does not)."""
    listed = git.read("ls-files", "--stage", "-z", "--", path).rstrip(b"\0").split(b"\t")
    if listed[1:] != [os.fsencode(path)] or not listed[0].startswith(b"100"):
        raise CommitRefused(f"{path} is not a file that git keeps; nothing was written", f"git add {path}, and commit it")
    try:
        mode = (git.root / path).lstat().st_mode
    except OSError:
        mode = 0
    if not stat.S_ISREG(mode):
        raise CommitRefused(f"{path} is not in this work tree; nothing was written", "take it into the sparse checkout")


def _write(file: Path, data: bytes) -> None:
    """All or nothing: a neighbour is written, then takes the name. The mode stays."""
    neighbour = file.with_name(f".{file.name}.fleet")
    try:
        with neighbour.open("xb") as new:
            os.fchmod(new.fileno(), stat.S_IMODE(file.stat().st_mode))
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
        neighbour.replace(file)
    except OSError as fault:
        if not isinstance(fault, FileExistsError):
            with contextlib.suppress(OSError):
                neighbour.unlink(missing_ok=True)
        raise CommitRefused(f"{file} cannot be written: {fault.strerror}") from None


def _commit(git: Git, names: tuple[str, ...], message: str) -> None:
    """`--only`: what is staged beside these paths stays staged, and out of the commit."""
    try:
        git.write(
            "commit", "--quiet", "--only", f"--message={message}", "--cleanup=whitespace", "--pathspec-from-file=-", "--pathspec-file-nul",
            stdin="\0".join(f":(literal){name}" for name in names).encode(errors="surrogateescape"),
        )  # fmt: skip
    except GitFailed as fault:
        raise CommitRefused(f"git did not commit; the files are as before. It said: {fault}", "see to what it says and run again") from None


def _restore(git: Git, commit: str, names: tuple[str, ...]) -> None:
    git.write(
        "restore", f"--source={commit}", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul",
        stdin="\0".join(f":(literal){name}" for name in names).encode(errors="surrogateescape"),
    )  # fmt: skip


def _last(git: Git, form: str) -> str:
    return git.read("log", "--max-count=1", f"--format={form}", "HEAD").decode(errors="replace").rstrip("\n")
