"""Contents: what a source reads of a commit, and which blobs of that are not here. Asks for no size that git would have to fetch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from reconciler.adapters.git.bare import Bare
from reconciler.adapters.git.child import TooLarge
from reconciler.adapters.git.listing import LEFT_OUT, Entry, entries, is_readable, refusal
from reconciler.core import paths
from reconciler.core.trees import EXECUTABLE, FILE, TREE
from reconciler.ports import SourceUnavailable

_LOCKS = "locks"
_LISTED = 32 << 20
"""Bytes of a listing: a hundred thousand files with long paths."""


class Contents(NamedTuple):
    """Entries with their sizes; blobs that are not here; folders and files to name for all of them at once."""

    entries: tuple[Entry, ...]
    absent: frozenset[str]
    roots: tuple[str, ...]


def contents(git: Bare, commit: str, path: str, others: Collection[str]) -> Contents:
    """What the fleet in the folder `path` has at `commit`, `others` (paths of files) among it. Raises SourceUnavailable, TooLarge."""
    tree = tree_of(git, commit, path)
    tops = tops_of(git, tree, others)
    if not tops:
        return Contents((), frozenset(), ())
    listed = _listed(git, tree, tuple(entry.path for entry in tops))
    roots = tuple(entry.id for entry in tops if entry.mode in (TREE, FILE, EXECUTABLE) and entry.path != paths.IMAGES)
    return _sized(git, listed, frozenset(entry.id for entry in listed if _is_wanted(entry, others)), roots)


def looked_again(git: Bare, before: Contents) -> Contents:
    """The same once more, after what is absent was fetched."""
    return _sized(git, before.entries, before.absent, before.roots)


def _sized(git: Bare, listed: tuple[Entry, ...], ids: frozenset[str], roots: tuple[str, ...]) -> Contents:
    sizes = _sizes(git, sorted(ids))
    entries = tuple(entry._replace(size=sizes[entry.id]) if entry.id in sizes else entry for entry in listed)
    return Contents(entries, frozenset(id for id, size in sizes.items() if size == LEFT_OUT), roots)


def tree_of(git: Bare, commit: str, path: str) -> str:
    """The tree of a folder; empty where there is none. Links are not followed."""
    if not path:
        return commit
    found = entries(git.read("ls-tree", "-z", commit, "--", path))
    return next((entry.id for entry in found if entry.mode == TREE and entry.path == path), "")


def tops_of(git: Bare, tree: str, others: Collection[str]) -> tuple[Entry, ...]:
    """The entries that a source begins at: what is below them is in their ids. None lies below another."""
    if not tree:
        return ()
    locks = [entry.path for entry in entries(git.read("ls-tree", "-z", tree, most=_LISTED)) if entry.path.endswith(".lock")]
    names = {*paths.ROOTS, _LOCKS, *others, *(lock for lock in locks if not paths.refusal(lock))}
    apart = sorted(name for name in names if not any(name.startswith(other + "/") for other in names))
    return entries(git.read("ls-tree", "-z", tree, "--", *apart, most=_LISTED))


def file_at(git: Bare, tree: str, path: str) -> bool:
    """Whether there is a file at a path; links, folders and submodules are none."""
    found = entries(git.read("ls-tree", "-z", tree, "--", path)) if tree else ()
    return any(entry.path == path and entry.mode in (FILE, EXECUTABLE) for entry in found)


def _listed(git: Bare, tree: str, names: tuple[str, ...]) -> tuple[Entry, ...]:
    try:
        return entries(git.read("ls-tree", "-r", "-t", "-z", tree, "--", *names, most=_LISTED))
    except TooLarge:
        raise SourceUnavailable("the names of the source's files are too long together", "keep only specs and policies there") from None


def _is_wanted(entry: Entry, others: Collection[str]) -> bool:
    """Whether the bytes of an entry are read: files of the source, and locks."""
    if entry.mode not in (FILE, EXECUTABLE):
        return False
    lock = entry.path in others or (entry.path.endswith(".lock") and entry.path.partition("/")[0] in (entry.path, _LOCKS))
    return (lock or is_readable(entry)) and not refusal(entry, folders=not lock)


def _sizes(git: Bare, ids: list[str]) -> Mapping[str, int]:
    """The size of each blob that is here (git-cat-file, BATCH OUTPUT)."""
    if not ids:
        return {}
    out = git.read("cat-file", "--batch-check", stdin="".join(f"{blob}\n" for blob in ids).encode())
    found = (line.split() for line in out.decode().splitlines())
    return {id: int(rest[1]) if len(rest) == 2 else LEFT_OUT for id, *rest in found}
