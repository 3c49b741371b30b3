"""The files of an image: its layers on top of each other, as an index without content."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from pipelines.core.layer.entries import IMPLIED, Entry, Kind, LayerRefused, folder, folders, normal, shown
from pipelines.core.layer.index import Delta

Tree = dict[str, Entry]
HOPS = 40
"""Symbolic links that one path may go through (Linux's own limit)."""


class Resolver:
    """Where a path of a layer really is: `lib/x` is `usr/lib/x` where `lib` is a symbolic link. The layer's own entries come first."""

    def __init__(self, over: Mapping[str, Entry], under: Mapping[str, Entry]) -> None:
        self._over = over
        self._under = under
        self._real: dict[str, str] = {"": ""}

    def path(self, path: str) -> str:
        """The path with its directory resolved; its own last part is not followed."""
        above, _, name = path.rpartition("/")
        real = self._directory(above, HOPS)
        return f"{real}/{name}" if real else name

    def _directory(self, path: str, hops: int) -> str:
        known = self._real.get(path)
        if known is not None:
            return known
        if hops <= 0:
            raise LayerRefused(f"{shown(path)} goes through more than {HOPS} symbolic links")
        above, _, name = path.rpartition("/")
        real = self._directory(above, hops)
        real = f"{real}/{name}" if real else name
        entry = self._over.get(real) or self._under.get(real)
        if entry is not None and entry.kind is Kind.SYMLINK:
            real = self._directory(pointed(folder(real), entry.link), hops - 1)
        elif entry is not None and entry.kind is not Kind.DIRECTORY:
            raise LayerRefused(f"{shown(path)} is both a {entry.kind} and a directory")
        self._real[path] = real
        return real


def pointed(base: str, link: str) -> str:
    """Where a symbolic link in the directory `base` points inside of the image; `..` stops at the root."""
    parts = [] if link.startswith("/") else base.split("/") if base else []
    for part in link.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return normal("/".join(parts))


def settled(delta: Delta, below: Mapping[str, Entry]) -> Delta:
    """The layer with every path where it really is, and with the directories that it uses without listing them. Changes neither argument."""
    over, under = Resolver(delta.entries, below), Resolver({}, below)
    entries = {over.path(path): entry for path, entry in delta.entries.items()}
    places = {over.path(path): place for path, place in delta.places.items()}
    hidden = frozenset(map(under.path, delta.hidden))
    opaque = frozenset(map(under.path, delta.opaque))
    seen = {""}
    for path in list(entries):
        above = folder(path)
        while above not in seen:
            seen.add(above)
            if above not in entries and (above not in below or is_hidden(above, hidden, opaque)):
                entries[above] = IMPLIED
            above = folder(above)
    return Delta(entries, places, hidden, opaque, {over.path(path): over.path(target) for path, target in delta.links.items()})


def is_hidden(path: str, hidden: Container[str], opaque: Container[str]) -> bool:
    """Whether a layer hides a path of the layers below: by itself or with a directory above."""
    above = folders(path)
    return path in hidden or "" in opaque or any(each in hidden or each in opaque for each in above)


def stacked(tree: Tree, delta: Delta) -> Tree:
    """The tree with one more layer on top, as an engine unpacks it. Takes the tree apart: use what it returns."""
    delta = settled(delta, tree)
    for path, target in delta.links.items():
        found = delta.entries.get(target) or tree.get(target)
        if found is None:
            raise LayerRefused(f"{shown(path)} is a hard link to {shown(target)}, which is not there")
        delta.entries[path] = found
    covered = {path for path, entry in delta.entries.items() if entry.kind is not Kind.DIRECTORY and is_directory(tree.get(path))}
    hidden = {path for path in delta.hidden if path in tree} | covered
    if delta.opaque or any(is_directory(tree.get(path)) for path in hidden):
        tree = {path: entry for path, entry in tree.items() if not is_hidden(path, hidden, delta.opaque)}
    else:
        for path in hidden:
            del tree[path]
    tree.update(delta.entries)
    return tree


def is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.DIRECTORY


def merged(deltas: Iterable[Delta]) -> Tree:
    """The files of an image from its layers, lowest first."""
    tree: Tree = {}
    for delta in deltas:
        tree = stacked(tree, delta)
    return tree
