"""Commits by their ids: which are here, and how one stands to another."""

from __future__ import annotations

import re

from reconciler.adapters.git.listing import Reads
from reconciler.adapters.git.process import GitFailed
from reconciler.core.paths import shown
from reconciler.ports import CommitUnknown, Relation, SourceUnavailable

_ID = re.compile(r"[0-9a-f]{4,64}")


def resolved(git: Reads, id: str) -> str:
    """The full id of a commit that is here. Raises CommitUnknown."""
    if not _ID.fullmatch(id):
        raise CommitUnknown(f"{shown(id)[:200]!r} is not the id of a commit", "name a commit by its id")
    try:
        return git.read("rev-parse", "--verify", "--quiet", "--end-of-options", id + "^{commit}").decode().strip()
    except GitFailed:
        raise CommitUnknown(f"the mirror holds no commit {id}", "fetch the branch that has it") from None


def parent(git: Reads, id: str) -> str | None:
    """The full id of a commit's first parent; None where it has none."""
    try:
        return git.read("rev-parse", "--verify", "--quiet", "--end-of-options", f"{resolved(git, id)}^1").decode().strip()
    except GitFailed:
        return None


def relation(git: Reads, since: str | None, tip: str) -> Relation:
    """How the newest commit of a branch stands to one that was known before, which need not be here any more."""
    if not since:
        return Relation.FIRST
    if since == tip:
        return Relation.SAME
    try:
        git.read("merge-base", "--is-ancestor", resolved(git, since), tip)
    except (GitFailed, SourceUnavailable):  # a commit that is not here is in no history of the branch
        return Relation.REWOUND
    return Relation.FORWARD
