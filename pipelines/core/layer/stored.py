"""An index as a file: one JSON line a path, deflated. 100,000 paths are about 5 MB."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

from pipelines.core.layer.entries import Entry, Kind
from pipelines.core.layer.index import Delta

VERSION = "layer index 1"
"""Changes whenever an older index would be read wrongly: another version is no index."""


def dumped(delta: Delta) -> bytes:
    """An index as bytes. Where a tar has the contents is not part of it."""
    return zlib.compress("\n".join(lines(delta)).encode("ascii"), 1)


def lines(delta: Delta) -> Iterator[str]:
    encode = json.JSONEncoder(separators=(",", ":")).encode
    yield encode([VERSION, len(delta.entries), sorted(delta.hidden), sorted(delta.opaque), delta.links])
    for path, entry in delta.entries.items():
        xattrs = [[key, base64.b64encode(value).decode()] for key, value in entry.xattrs]
        yield encode([path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.digest.hex(), entry.link, xattrs, entry.device])


def loaded(body: bytes) -> Delta | None:
    """The index that `dumped` wrote; None for anything else."""
    try:
        first, *rest = zlib.decompress(body).decode("ascii").splitlines()
        version, count, hidden, opaque, links = json.loads(first)
        if version != VERSION or count != len(rest):
            return None
        entries = dict(entry(json.loads(line)) for line in rest)
    except (ValueError, TypeError, zlib.error):
        return None
    return Delta(entries, {}, frozenset(hidden), frozenset(opaque), links)


def entry(row: list[Any]) -> tuple[str, Entry]:
    path, kind, mode, uid, gid, size, digest, link, xattrs, device = row
    pairs = tuple((key, base64.b64decode(value)) for key, value in xattrs)
    return path, Entry(Kind(kind), mode, uid, gid, size, bytes.fromhex(digest), link, pairs, (device[0], device[1]))
