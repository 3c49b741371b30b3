"""Decides what of a builder's layer becomes part of the image: the canonical change over the parent's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.core.layer.entries import IMPLIED, Entry, Kind, LayerRefused, folder, folders, shown
from pipelines.core.layer.index import Delta, Place, reserved
from pipelines.core.layer.rules import AUTHORITIES, CERTIFICATES, is_engines, is_left_out, is_mount_point
from pipelines.core.layer.tree import is_directory, is_hidden, pointed, settled


class Item(NamedTuple):
    """One path of a canonical layer, and where the builder's tar has its content."""

    path: str
    entry: Entry
    mtime: int
    offset: int
    twin: str = ""
    """The file that this path is a hard link of."""


class Layer(NamedTuple):
    """A canonical layer: what it removes and what it has, both sorted. Without both there is nothing to append."""

    whiteouts: tuple[str, ...]
    items: tuple[Item, ...]

    def __bool__(self) -> bool:
        return bool(self.whiteouts or self.items)


def canonical(raw: Delta, parent: Mapping[str, Entry], source_date: int, split: tuple[str, ...] = ()) -> tuple[Layer, ...]:
    """The layers to append to `parent` so that it has what the builder made: one for each prefix of `split` in turn, then one for the rest.

    Same files, same layers, whatever the order, the times after `source_date` (seconds) and the engine. Empty layers are not among them.
    Raises LayerRefused for what cannot or must not be part of an image.
    """
    entries, places, hidden, opaque, loose = settled(raw, parent)
    for path, target in loose.items():
        if not is_engines(path):
            raise LayerRefused(f"{shown(path)} is a hard link to {shown(target)}, which the layer does not have")
    kept = {path: entry for path, entry in entries.items() if is_kept(path, entry, parent, places.get(path), source_date)}
    for path in lent(kept, entries, parent):
        del kept[path]
    gone = removed(parent, entries, hidden, opaque)
    chosen = [layer for layer in parted(kept, gone, places, split, source_date) if layer]
    return tuple(chosen)


def is_kept(path: str, entry: Entry, parent: Mapping[str, Entry], place: Place | None, source_date: int) -> bool:
    if is_left_out(path, entry) or parent.get(path) == entry:
        return False
    if parent and path not in parent and is_mount_point(path, entry):
        return False
    if entry.kind in (Kind.CHARACTER, Kind.BLOCK):
        raise LayerRefused(f"{shown(path)} is a device: images without privileges cannot have one", "engines give containers their /dev")
    return place is None or place.timed is None or place.timed <= source_date


def lent(kept: Mapping[str, Entry], entries: Mapping[str, Entry], parent: Mapping[str, Entry]) -> set[str]:
    """Links to certificate authorities that are gone, and to those links: an engine's, lent to a step that ran `update-ca-certificates`."""
    links = {
        path: pointed(folder(path), entry.link) for path, entry in kept.items() if entry.kind is Kind.SYMLINK and CERTIFICATES.match(path)
    }
    gone = {path for path, target in links.items() if AUTHORITIES.match(target) and target not in entries and target not in parent}
    return gone | {path for path, target in links.items() if target in gone}


def removed(parent: Mapping[str, Entry], entries: Mapping[str, Entry], hidden: frozenset[str], opaque: frozenset[str]) -> list[str]:
    """The topmost paths of the parent that are gone. A whiteout of what was never there is a file with a forbidden name."""
    for path in hidden:
        if path not in parent and not is_engines(path):
            raise reserved(f"{folder(path)}/.wh.{path.rpartition('/')[2]}".lstrip("/"))
    if not hidden and not opaque:
        return []
    gone = {path for path in parent if path not in entries and not is_engines(path) and is_hidden(path, hidden, opaque)}
    return sorted(path for path in gone if folder(path) not in gone and is_directory(entries.get(folder(path), IMPLIED)))


def parted(
    kept: Mapping[str, Entry], gone: list[str], places: Mapping[str, Place], split: tuple[str, ...], source_date: int
) -> list[Layer]:
    """Each path to the layer of its prefix; hard links to the layer of their first name. Every layer has the new directories above its paths."""
    prefixes = [prefix.strip("/") for prefix in split]
    groups: list[set[str]] = [set() for _ in (*prefixes, "")]
    first: dict[int, str] = {}
    for path in sorted(kept):
        linked = kept[path].kind is Kind.FILE
        name = first.setdefault(places[path].offset, path) if linked else path
        groups[part(name, prefixes)].add(path)
    for group in groups:
        group.update([above for path in group for above in folders(path) if above in kept])
    layers: list[Layer] = []
    for at, group in enumerate(groups):
        items = []
        for path in sorted(group):
            place = places.get(path, Place(0, source_date))
            twin = first[place.offset] if kept[path].kind is Kind.FILE else path
            mtime = min(max(place.mtime, 0), source_date)
            items.append(Item(path, kept[path], mtime, place.offset, "" if twin == path else twin))
        layers.append(Layer(tuple(path for path in gone if part(path, prefixes) == at), tuple(items)))
    return layers


def part(path: str, prefixes: list[str]) -> int:
    """Which layer a path belongs to: the first prefix that it is or is below, else the last layer."""
    return next((at for at, prefix in enumerate(prefixes) if path == prefix or path.startswith(f"{prefix}/")), len(prefixes))


def appended(layer: Layer) -> Delta:
    """The index of a canonical layer, as reading it again would give it."""
    entries = {item.path: item.entry for item in layer.items}
    places = {item.path: Place(item.offset, item.mtime) for item in layer.items}
    return Delta(entries, places, frozenset(layer.whiteouts), frozenset(), {})
