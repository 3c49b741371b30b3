"""Indexes of layers, kept beside the blobs: a base of 6 GB is read once on a machine."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pipelines.adapters.layouts.store import Store
from pipelines.core.config import Image
from pipelines.core.layer.compress import Plain
from pipelines.core.layer.entries import LayerRefused
from pipelines.core.layer.index import Delta, index
from pipelines.core.layer.stored import dumped, loaded
from pipelines.core.layer.tar import Readable
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
        return self._read(layer.digest) or self._made(layer)[0]

    def must_be_true(self, image: Image) -> None:
        """Raises LayerRefused where the layers are not those of which the configuration has the diff_ids.

        Scanners go by diff_ids: two layers under one would be looked at as one.
        """
        for layer, claimed in zip(image.manifest.layers, image.config.diff_ids, strict=True):
            if self._diff_id(layer.digest) != claimed and (found := self._made(layer)[1]) != claimed:
                raise LayerRefused(f"layer {layer.digest} is {found}, and not {claimed} as the image says of it", "push that image anew")

    def _made(self, layer: Descriptor) -> tuple[Delta, str]:
        with self._store.path(layer.digest).open("rb") as file:
            plain = Hashed(Plain(file))
            found = index(plain)  # which reads all of it
        self.keep(layer.digest, found, plain.digest)
        return found, plain.digest

    def keep(self, digest: str, delta: Delta, diff_id: str) -> None:
        """Store an index that is known without reading."""
        for path, body in ((self._digest_path(digest), diff_id.encode()), (self._path(digest), dumped(delta))):
            with self._store.scratch() as file:
                file.write(body)
                file.flush()
                self._root.mkdir(parents=True, exist_ok=True)
                Path(file.name).rename(path)

    def _read(self, digest: str) -> Delta | None:
        try:
            return loaded(self._path(digest).read_bytes()) if self._diff_id(digest) else None
        except FileNotFoundError:
            return None

    def _diff_id(self, digest: str) -> str:
        try:
            return self._digest_path(digest).read_text()
        except (FileNotFoundError, UnicodeError):
            return ""

    def _digest_path(self, digest: str) -> Path:
        return self._path(digest).with_suffix(".diff_id")

    def _path(self, digest: str) -> Path:
        return self._root / self._store.path(digest).name


class Hashed:
    """Bytes as they are read, and the digest of all that were."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._hash = sha256()

    def read(self, size: int, /) -> bytes:
        found = self._stream.read(size)
        self._hash.update(found)
        return found

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
