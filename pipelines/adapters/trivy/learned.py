"""Learned: what Trivy found in the layers of images, kept for images that have the same layers below.

Trivy remembers by diff_id, which is what an image says of a layer. Images that say what is not true are not shown to it (pipelines/adapters/layouts); and
what it learned is only for images that say the same of the same blobs, at their bottom.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import orjson

IMAGES = 100
"""Of which something is kept: one or two megabytes each."""
_FILE = PurePath("fanal", "fanal.db")
_DIGEST = 32
"""Bytes at the end of what is kept that tell whether it is what was kept: what Trivy is told it believes."""


class Learned:
    """A folder of such files, one an image, for any number of processes at once."""

    def __init__(self, root: Path, program: str) -> None:
        """`program` says which Trivy it is: another one learns anew."""
        self._root, self._program = root, program

    def given(self, layout: PurePath, cache: Path) -> bool:
        """Lay out in a cache folder of Trivy what is known of the image in a layout folder, or of one below it; whether anything is."""
        (cache / _FILE).parent.mkdir()
        for known in self._names(layout):
            with suppress(OSError):
                data = known.read_bytes()
                if sha256(data[:-_DIGEST]).digest() == data[-_DIGEST:]:
                    (cache / _FILE).write_bytes(data[:-_DIGEST])
                    os.utime(known)
                    return True
        return False

    def keep(self, layout: PurePath, cache: Path) -> None:
        """Keep what Trivy knows by now, also for what else starts from where this image does. Where that cannot be done nothing is lost but time."""
        names = self._names(layout)
        if not names:
            return
        with suppress(OSError):
            data = (cache / _FILE).read_bytes()
            self._root.mkdir(parents=True, exist_ok=True)
            for known in (names[0], *(one for one in names[1:2] if not one.exists())):
                with tempfile.TemporaryDirectory(dir=self._root, prefix=".new-") as scratch:
                    (whole := Path(scratch) / known.name).write_bytes(data + sha256(data).digest())
                    whole.replace(known)
            self._tidy()

    def forget(self, layout: PurePath) -> None:
        """Let go of everything that `given` would give."""
        for known in self._names(layout):
            with suppress(OSError):
                known.unlink()

    def _names(self, layout: PurePath) -> list[Path]:
        """Where it is kept: of the image, then of each image that it may start from, nearest first."""
        layers = _layers(Path(layout))
        chains = ("\n".join((self._program, *layers[:count])) for count in range(len(layers), 0, -1))
        return [self._root / sha256(chain.encode()).hexdigest() for chain in chains]

    def _tidy(self) -> None:
        kept = sorted((one for one in self._root.iterdir() if one.is_file()), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in kept[IMAGES:]:
            old.unlink()


def _layers(layout: Path) -> tuple[str, ...]:
    """Blob and diff_id of each layer of the image in a layout folder (image-layout.md), the lowest first; none where that cannot be told."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        (image,) = _read(layout, "index.json")["manifests"]
        manifest = _read(layout, "blobs", image["digest"])
        blobs = [layer["digest"] for layer in manifest["layers"]]
        diff_ids = _read(layout, "blobs", manifest["config"]["digest"])["rootfs"]["diff_ids"]
        pairs = [f"{blob} {diff_id}" for blob, diff_id in zip(blobs, diff_ids, strict=True)]
        if len(set(diff_ids)) == len(set(pairs)):
            return tuple(pairs)
    return ()


def _read(layout: Path, *names: str) -> Any:
    return orjson.loads(layout.joinpath(*(name.replace(":", "/", 1) for name in names)).read_bytes())
