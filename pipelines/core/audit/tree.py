"""The merged root file system of an image: layers laid on one another (OCI image spec, layer.md), links followed inside the root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.model.audit import Entry, EntryKind

MAX_LINKS = 40
"""Symbolic links that are followed on one path, as many as Linux follows (path_resolution(7))."""
MAX_PATH = 4_096
"""Characters of a path, as Linux has it (PATH_MAX)."""
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
FOLDER = Entry(EntryKind.FOLDER)
OTHER = Entry(EntryKind.OTHER)


class Hostile(Exception):
    """An entry that no honest layer has. Says which and why."""


def clean(name: str) -> str:
    """A name of a layer's tar as a path without leading slash; raises Hostile for one that leads out of the root."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise Hostile(f"{name[:200]!r} leads out of the root file system")
    if "\0" in name:
        raise Hostile(f"{name[:200]!r} has a zero byte in it")
    return "/".join(parts)


@dataclass(slots=True)
class Layer:
    """One layer while it is read: what it adds, and what it hides of the layers below."""

    entries: dict[str, Entry] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)

    def put(self, name: str, entry: Entry) -> None:
        """Take an entry of the tar; whiteouts are told by their names."""
        path = clean(name)
        if max(len(path), len(entry.target)) > MAX_PATH:
            raise Hostile(f"{path[:200]!r} or its target is longer than any path")
        folder, _, last = path.rpartition("/")
        if last == OPAQUE:
            self.emptied.add(folder)
        elif last.startswith(WHITEOUT):
            self.hidden.add(f"{folder}/{last.removeprefix(WHITEOUT)}".lstrip("/"))
        elif path:
            self.entries.pop(path, None)  # the last of one name counts, and stands where it comes
            self.entries[path] = entry


class Tree:
    """Paths without leading slash, and what stands there. Built by `stack`, lowest layer first."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._listing: dict[str, dict[str, Entry]] | None = None

    def stack(self, layer: Layer) -> None:
        """Lay a layer on top. Whiteouts hide only what is below, wherever they stand in the tar."""
        self._listing = None
        hidden = {self._placed(path) for path in layer.hidden}
        others = {self._placed(name) for name, entry in layer.entries.items() if entry.kind is not EntryKind.FOLDER}
        replaced = {path for path in others if self.entries.get(path, OTHER).kind is EntryKind.FOLDER}
        self._drop(hidden | replaced, {self.resolve(path) or path for path in layer.emptied})  # in one go: each looks at every path
        for name, entry in layer.entries.items():
            path = self._placed(name)
            self._make_parents(path)
            self.entries[path] = entry

    def resolve(self, path: str) -> str | None:
        """Where a path leads when links are followed; None for a loop. What stands there need not exist."""
        todo = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                del done[-1:]  # the root's parent is the root
                continue
            done.append(part)
            entry = self.entries.get("/".join(done))
            if entry is None or entry.kind is not EntryKind.LINK:
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            del done[-1 if not entry.target.startswith("/") else 0 :]
            todo.extend(entry.target.split("/")[::-1])
        return "/".join(done)

    def at(self, path: str) -> Entry | None:
        """What a path leads to, links followed; None where there is nothing."""
        real = self.resolve(path)
        return FOLDER if real == "" else self.entries.get(real) if real is not None else None

    def listing(self, folder: str) -> Mapping[str, Entry]:
        """Names in a folder, links not followed in what is returned."""
        if self._listing is None:
            self._listing = {}
            for path, entry in self.entries.items():
                above, _, name = path.rpartition("/")
                self._listing.setdefault(above, {})[name] = entry
        real = self.resolve(folder)
        return self._listing.get(real, {}) if real is not None else {}

    def files(self, *folders: str) -> Iterator[tuple[str, Entry]]:
        """Every file at or below the folders, once, by its real path."""
        wanted = {real for folder in folders if (real := self.resolve(folder)) is not None}
        for path, entry in self.entries.items():
            if entry.kind is EntryKind.FILE and within(path, wanted):
                yield path, entry

    def _placed(self, path: str) -> str:
        """A path with the links of its folders followed, its last name as it is."""
        folder, _, name = path.rpartition("/")
        real = self.resolve(folder)
        if real is None:
            raise Hostile(f"the folder of {path[:200]!r} is a loop of links")
        return f"{real}/{name}".lstrip("/")

    def _make_parents(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        while folder and (there := self.entries.get(folder)) is not FOLDER:
            if there is None or there.kind is not EntryKind.FOLDER:
                self.entries[folder] = FOLDER
            folder = folder.rpartition("/")[0]

    def _drop(self, whole: set[str], inside: set[str]) -> None:
        """Forget paths with all below them, and all below others."""
        if whole or inside:
            gone = [path for path in self.entries if within(path, whole) or within(path.rpartition("/")[0], inside)]
            for path in gone:
                del self.entries[path]


def within(path: str, folders: set[str]) -> bool:
    """Whether a path is one of the folders or below one."""
    if not folders:
        return False
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return "" in folders
