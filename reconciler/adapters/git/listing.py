"""A source at one commit: `git ls-tree` for what there is, `git cat-file` for what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from reconciler.core import paths
from reconciler.core.trees import EXECUTABLE, FILE, LINK, SUBMODULE, TREE
from reconciler.model.documents import SourceTree
from reconciler.ports import Packed, SourceUnavailable

LEFT_OUT = -1
"""The size of a blob that is not here, since it was too large to be fetched."""


class Entry(NamedTuple):
    """One line of `git ls-tree`. Only blobs have a size."""

    mode: int
    id: str
    size: int
    path: str


class Reads(Protocol):
    """Git in one repository."""

    def read(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What a command prints that changes nothing. Raises GitFailed."""


def source_tree(git: Reads, commit: str) -> SourceTree:
    """Everything that a source holds at `commit` (a full id)."""
    return assembled(git, commit, entries(git.read("ls-tree", "-r", "-t", "-z", "--long", commit, "--", *paths.ROOTS)))


def assembled(git: Reads, commit: str, listed: Iterable[Entry]) -> SourceTree:
    """The source that these entries make, with the bytes of what is read. Raises SourceUnavailable where they are too many or too large."""
    listed = tuple(listed)
    refused = {paths.shown(entry.path): reason for entry in listed if (reason := refusal(entry))}
    readable = [entry for entry in listed if is_readable(entry) and not refusal(entry)]
    if sum(entry.size for entry in readable) > paths.MAX_TOTAL:
        raise SourceUnavailable(f"the source is larger than {paths.MAX_TOTAL >> 20} MiB", "keep only specs and policies there")
    colliding = paths.collisions(entry.path for entry in readable)
    contents = blobs(git, [entry.id for entry in readable])
    return SourceTree(
        revision=commit,
        dirty=False,
        files={entry.path: contents[entry.id] for entry in sorted(readable, key=lambda entry: entry.path) if entry.path not in colliding},
        digests={entry.path: entry.id for entry in listed if entry.mode == TREE and entry.path.startswith(paths.IMAGES + "/")},
        refused=dict(sorted({**colliding, **refused}.items())),
    )


def packed(git: Reads, commit: str, folders: tuple[str, ...]) -> dict[str, Packed]:
    """All files of folders of images at `commit`. Raises SourceUnavailable for what no image can be built from."""
    listed = entries(git.read("ls-tree", "-r", "-z", "--long", commit, "--", *folders)) if folders else ()
    for entry in listed:
        if reason := paths.refusal(entry.path) or ("it is a submodule" if entry.mode == SUBMODULE else ""):
            raise SourceUnavailable(f"{paths.shown(entry.path)} cannot be part of an image: {reason}", "take it out of the folder")
    if sum(entry.size for entry in listed) > paths.MAX_TOTAL:
        raise SourceUnavailable(f"the contexts are larger than {paths.MAX_TOTAL >> 20} MiB", "keep large files out of the repository")
    contents = blobs(git, [entry.id for entry in listed])
    return {entry.path: Packed(entry.mode, contents[entry.id]) for entry in sorted(listed, key=lambda entry: entry.path)}


def one_file(git: Reads, commit: str, path: str) -> bytes | None:
    """The bytes of one file; None where there is none. Raises SourceUnavailable for what may not be read."""
    entry = entry_of(entries(git.read("ls-tree", "-z", "--long", commit, "--", path)), path)
    return blobs(git, [entry.id])[entry.id] if entry else None


def entry_of(listed: Iterable[Entry], path: str) -> Entry | None:
    """The entry of one file; None where there is none. Raises SourceUnavailable for what may not be read."""
    entry = next((entry for entry in listed if entry.path == path and entry.mode != TREE), None)
    if entry and (reason := refusal(entry, folders=False)):
        raise SourceUnavailable(f"{paths.shown(path)} is not read: {reason}")
    return entry


def entries(out: bytes) -> tuple[Entry, ...]:
    """Read `MODE KIND ID`, with `--long` the size, a tab, the path (git-ls-tree, OUTPUT FORMAT). Raises SourceUnavailable for too many."""
    if out.count(b"\0") > paths.MAX_FILES:
        raise SourceUnavailable(f"the source has more than {paths.MAX_FILES} files", "keep only specs and policies there")
    return tuple(_entry(line) for line in out.split(b"\0") if line)


def _entry(line: bytes) -> Entry:
    facts, _, path = line.partition(b"\t")
    mode, _, blob, *size = facts.decode().split()
    return Entry(int(mode, 8), blob, int(size[0]) if size and size[0] != "-" else 0, path.decode("utf-8", "surrogateescape"))


def is_readable(entry: Entry) -> bool:
    """Whether a source reads an entry, unless it is refused."""
    return entry.mode in (FILE, EXECUTABLE) and paths.is_read(entry.path)


def refusal(entry: Entry, *, folders: bool = True) -> str:
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
    counts = paths.is_read(entry.path) or not folders
    return f"it is larger than {limit >> 20} MiB" if counts and not 0 <= entry.size <= limit else ""


def blobs(git: Reads, ids: list[str]) -> Mapping[str, bytes]:
    """The bytes of blobs by id: for each `ID blob SIZE`, a line end, the bytes, a line end (git-cat-file, BATCH OUTPUT)."""
    out = git.read("cat-file", "--batch", "--buffer", stdin="".join(f"{blob}\n" for blob in ids).encode()) if ids else b""
    contents: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        blob, kind, *size = out[at:end].decode().split()
        if kind != "blob":
            raise SourceUnavailable(f"the repository lacks object {blob}", "git fsck tells more; a partial clone may have to fetch it")
        contents[blob] = out[end + 1 : end + 1 + int(size[0])]
        at = end + 2 + int(size[0])
    return contents
