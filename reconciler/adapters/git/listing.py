"""A source at one commit: `git ls-tree` for what there is, `git cat-file` for what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.adapters.git.process import Git
from reconciler.core import paths
from reconciler.core.trees import EXECUTABLE, FILE, LINK, SUBMODULE, TREE
from reconciler.model.documents import SourceTree
from reconciler.ports import SourceUnavailable


class Entry(NamedTuple):
    """One line of `git ls-tree --long`. Only blobs have a size."""

    mode: int
    id: str
    size: int
    path: str


def source_tree(git: Git, commit: str) -> SourceTree:
    """Everything that a source holds at `commit` (a full id)."""
    listed = tuple(_list(git, commit, *paths.ROOTS, options=("-r", "-t")))
    if len(listed) > paths.MAX_FILES:
        raise SourceUnavailable(f"the source has more than {paths.MAX_FILES} files", "keep only specs and policies there")
    refused = {paths.shown(entry.path): reason for entry in listed if (reason := _refusal(entry))}
    readable = [entry for entry in listed if entry.mode in (FILE, EXECUTABLE) and paths.is_read(entry.path) and not _refusal(entry)]
    if sum(entry.size for entry in readable) > paths.MAX_TOTAL:
        raise SourceUnavailable(f"the source is larger than {paths.MAX_TOTAL >> 20} MiB", "keep only specs and policies there")
    colliding = paths.collisions(entry.path for entry in readable)
    blobs = _blobs(git, [entry.id for entry in readable])
    return SourceTree(
        revision=commit,
        dirty=False,
        files={entry.path: blobs[entry.id] for entry in sorted(readable, key=lambda entry: entry.path) if entry.path not in colliding},
        digests={entry.path: entry.id for entry in listed if entry.mode == TREE and entry.path.startswith(paths.IMAGES + "/")},
        refused=dict(sorted({**colliding, **refused}.items())),
    )


def one_file(git: Git, commit: str, path: str) -> bytes | None:
    """The bytes of one file; None where there is none. Raises SourceUnavailable for what may not be read."""
    for entry in _list(git, commit, path):
        if entry.path != path or entry.mode == TREE:
            return None
        if reason := _refusal(entry, folders=False):
            raise SourceUnavailable(f"{paths.shown(path)} is not read: {reason}")
        return _blobs(git, [entry.id])[entry.id]
    return None


def _list(git: Git, commit: str, *names: str, options: tuple[str, ...] = ()) -> Iterator[Entry]:
    for line in git.read("ls-tree", *options, "-z", "--long", commit, "--", *names).split(b"\0"):
        if line:
            facts, _, path = line.partition(b"\t")
            mode, _, blob, size = facts.decode().split()
            yield Entry(int(mode, 8), blob, int(size) if size != "-" else 0, path.decode("utf-8", "surrogateescape"))


def _refusal(entry: Entry, *, folders: bool = True) -> str:
    """Why an entry is not read. In folders of images links are content like any other."""
    if entry.mode == SUBMODULE:
        return "it is a submodule"
    hidden = "/." in entry.path and "/.git" not in entry.path.lower()
    if folders and (entry.mode == TREE or hidden or entry.path.startswith(paths.IMAGES + "/")):
        return ""
    if reason := paths.refusal(entry.path):
        return reason
    if entry.mode == LINK:
        return "it is a symlink"
    limit = paths.size_limit(entry.path)
    return f"it is larger than {limit >> 20} MiB" if entry.size > limit and paths.is_read(entry.path) else ""


def _blobs(git: Git, ids: list[str]) -> Mapping[str, bytes]:
    """The bytes of blobs by id: for each `ID blob SIZE`, a line end, the bytes, a line end (git-cat-file, BATCH OUTPUT)."""
    out = git.read("cat-file", "--batch", "--buffer", stdin="".join(f"{blob}\n" for blob in ids).encode()) if ids else b""
    blobs: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        blob, kind, *size = out[at:end].decode().split()
        if kind != "blob":
            raise SourceUnavailable(f"the repository lacks object {blob}", "git fsck tells more; a partial clone may have to fetch it")
        blobs[blob] = out[end + 1 : end + 1 + int(size[0])]
        at = end + 2 + int(size[0])
    return blobs
