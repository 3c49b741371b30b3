"""Indexes of layers, kept beside the blobs: a base of 6 GB is read once on a machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipelines.adapters.layouts.store import Store
from pipelines.core.layer.compress import Plain
from pipelines.core.layer.index import Delta, index
from pipelines.core.layer.stored import dumped, loaded
from pipelines.core.layer.tree import Tree, merged
from pipelines.model.oci import Descriptor


class Indexes:
    """What the paths of layers are. One file a layer, by the digest of its blob, so images that share layers share them too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = store.root / "indexes"

    def tree(self, layers: Iterable[Descriptor]) -> Tree:
        """The files of an image. A layer without an index is read, so its blob must be in the store."""
        return merged(self.of(layer) for layer in layers)

    def missing(self, layers: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
        """The layers whose blobs `tree` would read."""
        return tuple(layer for layer in layers if self._read(layer.digest) is None)

    def of(self, layer: Descriptor) -> Delta:
        """The index of one layer."""
        found = self._read(layer.digest)
        if found is None:
            with self._store.path(layer.digest).open("rb") as file:
                found = index(Plain(file))
            self.keep(layer.digest, found)
        return found

    def keep(self, digest: str, delta: Delta) -> None:
        """Store an index that is known without reading."""
        with self._store.scratch() as file:
            file.write(dumped(delta))
            file.flush()
            self._root.mkdir(parents=True, exist_ok=True)
            Path(file.name).rename(self._path(digest))

    def _read(self, digest: str) -> Delta | None:
        try:
            return loaded(self._path(digest).read_bytes())
        except FileNotFoundError:
            return None

    def _path(self, digest: str) -> Path:
        return self._root / self._store.path(digest).name
