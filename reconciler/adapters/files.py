"""The work tree as a source. Never follows a symlink, never opens what is not a regular file."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.core import paths
from reconciler.core.trees import EXECUTABLE, FILE, LINK, Leaf, object_id, tree_ids
from reconciler.model.documents import FLEET_FILE, LOCK_FILE, SourceTree
from reconciler.ports import History, Packed, SourceUnavailable, Standing

UNVERSIONED = "unversioned"
"""The revision of a work tree without git, or before its first commit."""

_CHUNK = 1 << 16
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class WorkTree:
    """The files under `root`. With a history it knows its revision and reads other ones."""

    def __init__(self, root: Path, history: History | None = None) -> None:
        self._root = root
        self._history = history

    def tree(self, revision: str | None = None) -> SourceTree:
        """The files as they lie there, or at a revision. Raises SourceUnavailable."""
        if revision is not None:
            return self._past(revision).tree(revision)
        standing = self._history.standing() if self._history else None
        scan = _Scan()
        with _opened(self._root) as root:
            for name in (FLEET_FILE, LOCK_FILE):
                scan.named(root, name, name)
            for top in (paths.SPECS, paths.POLICIES):
                scan.folder(root, top, top, scan.take)
            if standing is None:
                scan.folder(root, paths.IMAGES, paths.IMAGES, scan.weigh)
        return _source_tree(scan, standing)

    def read(self, path: str, revision: str | None = None) -> bytes | None:
        """One file by its path from the root. Raises SourceUnavailable where it is there but may not be read."""
        if revision is not None:
            return self._past(revision).read(path, revision)
        scan = _Scan()
        if reason := paths.refusal(path):
            scan.refused[path] = reason
        else:
            with _opened(self._root) as root:
                scan.descend(root, path, path)
        for reason in scan.refused.values():
            raise SourceUnavailable(f"{paths.shown(path)} is not read: {reason}")
        return scan.files.get(path)

    def contexts(self, folders: Iterable[str], revision: str | None = None) -> Mapping[str, Packed]:
        """All files of these folders with their bytes, by path from the root; of links their targets. What git ignores is left out.

        Raises SourceUnavailable, also for what no image can be built from: a submodule, a device, too much of everything.
        """
        if revision is not None:
            return self._past(revision).contexts(folders, revision)
        scan = _Scan()
        wanted = sorted(set(folders))
        with _opened(self._root) as root:
            for folder in wanted:
                scan.below(root, folder)
        for path, reason in sorted(scan.refused.items()):
            raise SourceUnavailable(f"{path} cannot be part of an image: {reason}", "take it out of the folder")
        ignored = self._history.ignored(wanted) if self._history else frozenset()
        return {path: packed for path, packed in sorted(scan.packed.items()) if path not in ignored}

    def _past(self, revision: str) -> History:
        if self._history is None:
            message = f"there is no revision {paths.shown(revision)}: {self._root} is in no git repository"
            raise SourceUnavailable(message, "keep the fleet in a git repository")
        return self._history


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise SourceUnavailable(f"{root} cannot be read: {fault.strerror}", "name the folder that holds fleet.yaml") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _source_tree(scan: _Scan, standing: Standing | None) -> SourceTree:
    absent = dict.fromkeys(standing.absent, "a sparse checkout leaves it out") if standing else {}
    colliding = paths.collisions(scan.files)
    return SourceTree(
        revision=standing.revision if standing else UNVERSIONED,
        dirty=bool(standing.edited) if standing else True,
        edited=len(standing.edited) if standing else 0,
        files={path: data for path, data in sorted(scan.files.items()) if path not in colliding},
        digests=standing.digests if standing else tree_ids(scan.leaves),
        refused=dict(sorted({**absent, **colliding, **scan.refused}.items())),
    )


class _Scan:
    """One walk. Folders are opened one below the other, so that nobody can put a symlink in the way meanwhile."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.leaves: dict[str, Leaf] = {}
        self.packed: dict[str, Packed] = {}
        self.refused: dict[str, str] = {}
        self._seen = 0
        self._total = 0

    def folder(self, parent: int, name: str, path: str, each: Callable[[int, os.DirEntry[str], str], None], depth: int = 0) -> None:
        """Walk the folder `name` of `parent`, known as `path` from the root, and do `each` with what is not a folder."""
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as fault:
            self._refuse_fault(path, fault)
            return
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._count()
                    self._entry(descriptor, entry, f"{path}/{entry.name}", each, depth)
        finally:
            os.close(descriptor)

    def _entry(
        self, parent: int, entry: os.DirEntry[str], path: str, each: Callable[[int, os.DirEntry[str], str], None], depth: int
    ) -> None:
        if not entry.is_dir(follow_symlinks=False):
            each(parent, entry, path)
        elif depth >= paths.MAX_DEPTH:
            self._refuse(path, f"it lies deeper than {paths.MAX_DEPTH} folders")
        elif reason := paths.refusal(path):
            self._refuse(path, reason)
        elif not entry.name.startswith(".") or path.startswith(paths.IMAGES):
            self.folder(parent, entry.name, path, each, depth + 1)

    def take(self, parent: int, entry: os.DirEntry[str], path: str) -> None:
        """Read a file of specs or policies."""
        if entry.name.startswith("."):
            if entry.name == ".git":
                self._refuse(path, "it belongs to a repository inside this one")
            return
        if reason := paths.refusal(path):
            self._refuse(path, reason)
        elif entry.is_symlink():
            self._refuse(path, _symlink(parent, entry.name))
        elif not entry.is_file(follow_symlinks=False):
            self._refuse(path, "it is no regular file")
        elif paths.is_read(path):
            self._read(parent, entry.name, path)

    def weigh(self, parent: int, entry: os.DirEntry[str], path: str) -> None:
        """Note what the tree ids of a folder of images are made of."""
        if entry.name == ".git":
            self._refuse(path, "it belongs to a repository inside this one")
        elif entry.is_symlink():
            self.leaves[path] = Leaf(LINK, object_id("blob", os.fsencode(os.readlink(entry.name, dir_fd=parent))))
        elif not entry.is_file(follow_symlinks=False):
            self._refuse(path, "it is no regular file")
        else:
            try:
                self.leaves[path] = _leaf(parent, entry.name)
            except OSError as fault:
                self._refuse_fault(path, fault)

    def below(self, root: int, path: str) -> None:
        """Pack a folder by its path."""
        descriptors = [root]
        try:
            *above, name = path.split("/")
            for part in above:
                descriptors.append(os.open(part, _FOLDER, dir_fd=descriptors[-1]))
            self.folder(descriptors[-1], name, path, self.pack)
        except FileNotFoundError:
            return
        except OSError as fault:
            self._refuse_fault(path, fault)
        finally:
            for descriptor in descriptors[1:]:
                os.close(descriptor)

    def pack(self, parent: int, entry: os.DirEntry[str], path: str) -> None:
        """Take a file of an image's context."""
        if reason := paths.refusal(path):
            self._refuse(path, reason)
        elif entry.is_symlink():
            self.packed[path] = Packed(LINK, os.fsencode(os.readlink(entry.name, dir_fd=parent)))
        elif not entry.is_file(follow_symlinks=False):
            self._refuse(path, "it is no regular file")
        else:
            try:
                data = _bytes(parent, entry.name, paths.MAX_TOTAL)
                runs = entry.stat(follow_symlinks=False).st_mode & stat.S_IXUSR
            except OSError as fault:
                self._refuse_fault(path, fault)
                return
            self._total += len(data)
            if self._total > paths.MAX_TOTAL:
                raise SourceUnavailable(
                    f"the contexts are larger than {paths.MAX_TOTAL >> 20} MiB", "keep large files out of the repository"
                )
            self.packed[path] = Packed(EXECUTABLE if runs else FILE, data)

    def named(self, parent: int, name: str, path: str) -> None:
        """Read one file whose name is known, if it is there."""
        try:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            self._refuse(path, _symlink(parent, name))
        elif not stat.S_ISREG(mode):
            self._refuse(path, "it is no regular file")
        else:
            self._read(parent, name, path)

    def descend(self, parent: int, rest: str, path: str) -> None:
        """Read one file by its path."""
        name, _, below = rest.partition("/")
        if not below:
            self.named(parent, name, path)
            return
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as fault:
            self._refuse_fault(path, fault)
            return
        try:
            self.descend(descriptor, below, path)
        finally:
            os.close(descriptor)

    def _read(self, parent: int, name: str, path: str) -> None:
        limit = paths.size_limit(path)
        try:
            data = _bytes(parent, name, limit)
        except OSError as fault:
            self._refuse_fault(path, fault)
            return
        self._total += len(data)
        if len(data) > limit:
            self._refuse(path, f"it is larger than {limit >> 20} MiB")
        elif self._total > paths.MAX_TOTAL:
            raise SourceUnavailable(f"the source is larger than {paths.MAX_TOTAL >> 20} MiB", "keep only specs and policies there")
        else:
            self.files[path] = data

    def _count(self) -> None:
        self._seen += 1
        if self._seen > paths.MAX_FILES:
            raise SourceUnavailable(f"the source has more than {paths.MAX_FILES} files", "keep only specs and policies there")

    def _refuse(self, path: str, reason: str) -> None:
        self.refused[paths.shown(path)] = reason

    def _refuse_fault(self, path: str, fault: OSError) -> None:
        """Opening with O_NOFOLLOW answers ELOOP or ENOTDIR to a symlink."""
        linked = fault.errno in (errno.ELOOP, errno.ENOTDIR)
        self._refuse(path, "it is a symlink, or no folder" if linked else f"it cannot be read: {fault.strerror}")


def _symlink(parent: int, name: str) -> str:
    return f"it is a symlink, to {paths.shown(os.readlink(name, dir_fd=parent))}"


def _bytes(parent: int, name: str, limit: int) -> bytes:
    """All of a file, or a little more than `limit` of it."""
    descriptor = os.open(name, _FILE, dir_fd=parent)
    try:
        data = os.read(descriptor, _CHUNK)
        if len(data) < _CHUNK:
            return data
        parts, size = [data], len(data)
        while size <= limit and (data := os.read(descriptor, min(1 << 20, limit + 1 - size))):
            parts.append(data)
            size += len(data)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _leaf(parent: int, name: str) -> Leaf:
    """The blob id of a file of any size (gitformat-objects), without holding it in memory."""
    with os.fdopen(os.open(name, _FILE, dir_fd=parent), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        blob = hashlib.sha1(b"blob %d\0" % status.st_size, usedforsecurity=False)
        while chunk := file.read(1 << 20):
            blob.update(chunk)
    return Leaf(EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE, blob.hexdigest())
