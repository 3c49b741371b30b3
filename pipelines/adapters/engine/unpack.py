"""Takes an OCI archive that the engine exported apart: the raw layer and the `config` object. Streams; nothing large is in memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import tarfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from pipelines.model.oci import LAYER, LAYER_GZIP
from pipelines.ports import BuildFailed

CHUNK = 4 << 20
_RAW = {LAYER, "application/vnd.docker.image.rootfs.diff.tar"}
_GZIP = {LAYER_GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip"}


class Unpacked(NamedTuple):
    """What was in an archive."""

    config: dict[str, Any]
    layers: int


async def unpack(archive: Path, removed: Iterable[str], into: Path) -> Unpacked:
    """Writes whiteouts of `removed`, then the archive's one layer, to the tar `into`; BuildFailed where it holds anything else."""
    with closing(await asyncio.to_thread(tarfile.open, archive)) as outer:
        config, layers = await asyncio.to_thread(_describe, outer)
        if len(layers) > 1:
            raise BuildFailed(f"the engine exported {len(layers)} layers where one was asked for", "use a Dagger engine of 0.21")
        with into.open("wb") as to:
            for path in removed:
                to.write(_whiteout(path))
            if not layers:
                to.write(bytes(2 * tarfile.BLOCKSIZE))
            for layer in layers:
                with _blob(outer, layer) as blob:
                    while chunk := await asyncio.to_thread(blob.read, CHUNK):
                        await asyncio.to_thread(to.write, chunk)
    return Unpacked(config, len(layers))


def _describe(outer: tarfile.TarFile) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    index = _json(outer, "index.json")
    manifest = _json(outer, _path(index["manifests"][0]["digest"]))
    config = _json(outer, _path(manifest["config"]["digest"]))
    return config.get("config") or {}, manifest["layers"]


def _json(outer: tarfile.TarFile, name: str) -> Any:
    file = outer.extractfile(name)
    assert file
    with file:
        return json.load(file)


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _blob(outer: tarfile.TarFile, layer: dict[str, Any]) -> IO[bytes]:
    file = outer.extractfile(_path(layer["digest"]))
    assert file
    if layer["mediaType"] in _RAW:
        return file
    if layer["mediaType"] in _GZIP:
        return cast(IO[bytes], gzip.open(file))
    raise BuildFailed(f"the engine exported a layer of type {layer['mediaType']}", "use a Dagger engine of 0.21")


def _whiteout(path: str) -> bytes:
    """An entry that says that `path` is no longer there (image spec, layer.md)."""
    if "\ufffd" in path:
        raise BuildFailed(
            f"a removed file's name is not UTF-8, and the engine does not say what it is: {path}", "remove the folder that it is in"
        )
    gone = PurePosixPath(path.strip("/"))
    entry = tarfile.TarInfo(str(gone.with_name(".wh." + gone.name)))
    entry.mode = 0
    return entry.tobuf(tarfile.PAX_FORMAT)
