"""Packs what a builder changed into blobs of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import IO, TypeVar

from pipelines.adapters.layouts.content import FILE, LARGEST
from pipelines.adapters.layouts.indexes import Indexes
from pipelines.adapters.layouts.store import Store
from pipelines.core.config import NewLayer
from pipelines.core.dpkg import STATUS
from pipelines.core.layer.change import Layer, appended, canonical
from pipelines.core.layer.compress import Gzip
from pipelines.core.layer.entries import Kind, LayerRefused
from pipelines.core.layer.index import index
from pipelines.core.layer.tree import Tree
from pipelines.core.layer.write import Hashing, Seekable, written
from pipelines.model.oci import LAYER_GZIP, Descriptor
from pipelines.ports import BuildFailed

T = TypeVar("T")


class Cancelled(Exception):
    """Nobody waits for what the thread does."""


class Stoppable:
    """A file that stops whoever writes to it or reads from it once nobody waits."""

    def __init__(self, file: IO[bytes], stop: Event) -> None:
        self._file = file
        self._stop = stop

    def _go_on(self) -> IO[bytes]:
        if self._stop.is_set():
            raise Cancelled
        return self._file

    def read(self, size: int, /) -> bytes:
        return self._go_on().read(size)

    def write(self, data: bytes, /) -> object:
        return self._go_on().write(data)

    def seek(self, offset: int, /) -> int:
        return self._go_on().seek(offset)


async def in_thread(work: Callable[[Event], T]) -> T:
    """Run work that takes seconds beside the loop; cancelling ends it at its next read or write. Raises BuildFailed."""
    stop = Event()
    try:
        return await asyncio.to_thread(work, stop)
    except LayerRefused as refused:
        raise BuildFailed(f"its layer cannot become part of an image: {refused}", refused.fix) from refused
    except OSError as error:
        raise BuildFailed(f"its layer cannot be packed: {error}", "see that the disk has room and can be written") from error
    except asyncio.CancelledError:
        stop.set()
        raise


def pack(store: Store, changes: Path, tree: Tree, source_date: int, split: tuple[str, ...], stop: Event) -> tuple[NewLayer, ...]:
    """The canonical layers of a builder's tar, in the store with their indexes. Reads the tar twice, holds none of it."""
    with changes.open("rb") as file:
        raw = Stoppable(file, stop)
        layers = canonical(index(raw), tree, source_date, split)
        made = tuple(stored(store, layer, raw, stop) for layer in layers)
        for layer in layers:
            kept(store, layer, raw)
        return made


def kept(store: Store, layer: Layer, raw: Seekable) -> None:
    """Files that are asked for next become blobs of their own: inside a layer they are found by inflating it, gigabytes for a framework."""
    for item in layer.items:
        if item.path == STATUS and item.entry.kind is Kind.FILE and not item.twin and item.entry.size <= LARGEST:
            raw.seek(item.offset)
            store.put(raw.read(item.entry.size), FILE)


def stored(store: Store, layer: Layer, raw: Seekable, stop: Event) -> NewLayer:
    store.require(sum(item.entry.size for item in layer.items if not item.twin))
    with store.scratch() as file:
        compressed = Hashing(Stoppable(file, stop))
        gzip = Gzip(compressed)
        plain = written(layer, raw, gzip)
        gzip.close()
        store.keep(file, compressed.digest)
    Indexes(store).keep(compressed.digest, appended(layer), plain.diff_id)
    return NewLayer(Descriptor(LAYER_GZIP, compressed.digest, compressed.size), plain.diff_id)
