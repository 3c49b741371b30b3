"""How a work tree stands to its last commit, and the tree ids that its folders of images would have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.adapters.git.process import Git
from reconciler.core import paths
from reconciler.core.trees import EXECUTABLE, FILE, LINK, Leaf, algorithm, object_id, tree_ids
from reconciler.ports import Standing

_STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=all",
    "--no-renames",
    "--no-ahead-behind",
    "--ignore-submodules=dirty",
)


def standing(git: Git) -> Standing | None:
    """None before the first commit. Raises GitFailed, in a bare repository as well."""
    roots = ("--", *paths.ROOTS)
    said = git.read_together(("rev-parse", "--show-prefix"), (*_STATUS, *roots), ("ls-files", "--stage", "-t", "-z", *roots))
    prefix = os.fsdecode(said[0]).rstrip("\n")
    status = _status(said[1], prefix)
    if not status.commit:
        return None
    index = _index(said[2])
    leaves = {path: entry.leaf for path, entry in index.items() if path.startswith(paths.IMAGES + "/")}
    touched = [path for path in status.unlike_index if path.startswith(paths.IMAGES + "/")]
    for path, leaf in _hashed(git, prefix, touched, status.commit, leaves).items():
        if leaf:
            leaves[path] = leaf
        else:
            leaves.pop(path, None)
    return Standing(
        revision=status.commit,
        edited=tuple(sorted(status.edited)),
        digests=tree_ids(leaves, algorithm(status.commit)),
        absent=tuple(path for path, entry in index.items() if entry.skipped and paths.is_read(path)),
    )


class _Status(NamedTuple):
    commit: str
    edited: frozenset[str]
    unlike_index: tuple[str, ...]
    """Paths whose work tree is not as staged."""


def _status(out: bytes, prefix: str) -> _Status:
    """Read the porcelain format, version 2 (git-status): paths count from the top of the repository."""
    commit, edited, unlike_index = "", [], []
    for line in out.decode("utf-8", "surrogateescape").split("\0"):
        kind, _, rest = line.partition(" ")
        if line.startswith("# branch.oid "):
            commit = line.rpartition(" ")[2].replace("(initial)", "")
        elif kind in ("1", "u", "?"):
            fields = {"1": 7, "u": 9, "?": 0}[kind]
            path = rest.split(" ", fields)[fields].removeprefix(prefix).rstrip("/")
            edited.append(path)
            if kind != "1" or rest[1] != ".":
                unlike_index.append(path)
    return _Status(commit, frozenset(edited), tuple(unlike_index))


class _Staged(NamedTuple):
    leaf: Leaf
    skipped: bool


def _index(out: bytes) -> Mapping[str, _Staged]:
    """Read `TAG MODE ID STAGE`, a tab, the path. `S` is for what a sparse checkout skips."""
    index = {}
    for line in out.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            facts, _, path = line.partition("\t")
            tag, mode, blob, _ = facts.split(" ")
            index[path] = _Staged(Leaf(int(mode, 8), blob), tag == "S")
    return index


def _hashed(git: Git, prefix: str, names: Iterable[str], commit: str, staged: Mapping[str, Leaf]) -> Mapping[str, Leaf | None]:
    """What git would store for these files of the work tree now; None for what is gone or cannot be stored.

    Git hashes regular files itself, since attributes may change their bytes. It reads their paths from the top of the work tree.
    """
    hashed: dict[str, Leaf | None] = {}
    regular: list[tuple[str, int]] = []
    for name in names:
        file = git.root / name
        try:
            mode = file.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            hashed[name] = None
            continue
        if stat.S_ISLNK(mode):
            hashed[name] = Leaf(LINK, object_id("blob", os.fsencode(file.readlink()), algorithm(commit)))
        elif stat.S_ISREG(mode) and "\n" not in name:
            regular.append((name, EXECUTABLE if mode & stat.S_IXUSR else FILE))
        else:
            hashed[name] = staged.get(name) if stat.S_ISDIR(mode) else None
    if regular:
        top = Git(git.root.joinpath(*[".." for _ in prefix.split("/")[1:]]))
        stdin = b"".join(os.fsencode(f"{prefix}{name}\n") for name, _ in regular)
        ids = top.read("hash-object", "--stdin-paths", stdin=stdin).decode().split()
        hashed |= {name: Leaf(mode, blob) for (name, mode), blob in zip(regular, ids, strict=True)}
    return hashed
