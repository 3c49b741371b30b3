"""Layer tars by hand, made by the standard library, and images as plain dictionaries."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipelines.core.layer.change import canonical
from pipelines.core.layer.entries import Entry
from pipelines.core.layer.index import index
from pipelines.core.layer.write import written

DATE = 1_700_000_000


class Leaf(NamedTuple):
    """What a test puts at a path."""

    kind: str = "file"
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()
    mtime: float = DATE + 5
    device: tuple[int, int] = (0, 0)


TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "character": tarfile.CHRTYPE,
}


def folder(mode: int = 0o755, **more: object) -> Leaf:
    return Leaf("directory", mode=mode)._replace(**more)


def link(target: str) -> Leaf:
    return Leaf("symlink", target.encode("utf-8", "surrogateescape"), 0o777)


def hard(target: str) -> Leaf:
    return Leaf("hard", target.encode())


def tar(items: Iterable[tuple[str, Leaf]] | Mapping[str, Leaf], style: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style, encoding="utf-8", errors="surrogateescape") as made:
        for name, leaf in items.items() if isinstance(items, Mapping) else items:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = TYPES[leaf.kind], leaf.mode, leaf.uid, leaf.gid, leaf.mtime
            info.devmajor, info.devminor = leaf.device
            info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in leaf.xattrs}
            if leaf.kind in ("symlink", "hard"):
                info.linkname = leaf.content.decode("utf-8", "surrogateescape")
                made.addfile(info)
            else:
                info.size = len(leaf.content)
                made.addfile(info, io.BytesIO(leaf.content))
    return out.getvalue()


def entries(body: bytes) -> dict[str, Entry]:
    return index(io.BytesIO(body)).entries


def packed(raw: bytes, parent: Mapping[str, Entry] | None = None, split: tuple[str, ...] = (), date: int = DATE) -> list[bytes]:
    """The canonical layers of a tar, as bytes."""
    layers = []
    for layer in canonical(index(io.BytesIO(raw)), parent or {}, date, split):
        out = io.BytesIO()
        said = written(layer, io.BytesIO(raw), out)
        assert said.size == len(out.getvalue())
        layers.append(out.getvalue())
    return layers


def names(body: bytes) -> list[str]:
    """The names of a tar as the standard library reads them."""
    with tarfile.open(fileobj=io.BytesIO(body)) as found:
        return found.getnames()


def members(body: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(body), errors="surrogateescape") as found:
        return {info.name: info for info in found.getmembers()}
