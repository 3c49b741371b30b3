"""Content: one file of an image, out of the layer that has it and no other. What was read once is a blob of its own."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from pipelines.adapters.layouts.indexes import Indexes
from pipelines.adapters.layouts.store import Store
from pipelines.core.layer.compress import Plain
from pipelines.core.layer.entries import Entry, Kind, LayerRefused, folders, normal, shown
from pipelines.core.layer.index import Delta
from pipelines.core.layer.tar import Tar
from pipelines.model.oci import Descriptor

FILE = "application/octet-stream"
LARGEST = 64 << 20
"""Bytes of a file that is read whole."""


def content(store: Store, indexes: Indexes, layers: Sequence[Descriptor], path: str) -> bytes | None:
    """The file at `path`, or None where none is; the highest layer that says something of it decides. Raises LayerRefused."""
    for layer in reversed(layers):
        delta = indexes.of(layer)
        entry = delta.entries.get(path)
        if entry is not None:
            return _read(store, layer, path, entry) if entry.kind is Kind.FILE else None
        if _hides(delta, path):
            return None
    return None


def _hides(delta: Delta, path: str) -> bool:
    above = folders(path)
    return path in delta.hidden or any(each in delta.hidden or each in delta.opaque for each in above)


def _read(store: Store, layer: Descriptor, path: str, entry: Entry) -> bytes:
    if entry.size > LARGEST:
        raise LayerRefused(f"{shown(path)} has {entry.size} bytes, more than {LARGEST >> 20} MiB")
    alone = Descriptor(FILE, f"sha256:{entry.digest.hex()}", entry.size)
    if store.has(alone):
        return store.path(alone.digest).read_bytes()
    with store.path(layer.digest).open("rb") as file:
        tar = Tar(Plain(file))
        for member in tar:
            if normal(member.name) == path:
                data = b"".join(tar.content())
                if sha256(data).digest() == entry.digest:
                    store.put(data, FILE)
                    return data
    raise LayerRefused(f"{shown(path)} is in the index of a layer, and not in the layer")
