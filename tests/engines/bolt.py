"""Writes bbolt files (github.com/etcd-io/bbolt, `page.go`, `meta.go`): what Trivy keeps its database in."""

import struct
from collections.abc import Mapping
from pathlib import Path

PAGE = 4096
LEAF, META, FREELIST = 0x02, 0x04, 0x10
IS_BUCKET = 0x01
MAGIC, VERSION = 0xED0CDAED, 2
HEADER = struct.Struct("<QHHI")  # page id, flags, count, overflow pages
ELEMENT = struct.Struct("<IIII")  # flags, where the key stands from here, its length, that of the value
BUCKET = struct.Struct("<QQ")  # root page, sequence
FIRST_FREE = 3  # behind two metas and the list of free pages
MOST_KEYS = 0xFFFF - 1

Tree = Mapping[str, "Tree | bytes"]


def write(path: Path, tree: Tree) -> None:
    """A file with one bucket for each inner mapping; every bucket is one leaf, as long as it has to be."""
    pages: list[bytes] = []
    root = _bucket(tree, pages)
    used = FIRST_FREE + sum(len(page) // PAGE for page in pages)
    free = HEADER.pack(2, FREELIST, 0, 0).ljust(PAGE, b"\0")
    path.write_bytes(b"".join([_meta(0, root, used), _meta(1, root, used), free, *pages]))


def _bucket(tree: Tree, pages: list[bytes]) -> int:
    if len(tree) > MOST_KEYS:
        raise ValueError(f"{len(tree)} keys are more than one leaf holds")
    items = []
    for key in sorted(tree, key=str.encode):
        value = tree[key]
        inner = not isinstance(value, bytes)
        items.append((IS_BUCKET if inner else 0, key.encode(), BUCKET.pack(_bucket(value, pages), 0) if inner else value))
    id = FIRST_FREE + sum(len(page) // PAGE for page in pages)
    pages.append(_leaf(id, items))
    return id


def _leaf(id: int, items: list[tuple[int, bytes, bytes]]) -> bytes:
    heads, body = bytearray(), bytearray()
    room = ELEMENT.size * len(items)
    for place, (flags, key, value) in enumerate(items):
        heads += ELEMENT.pack(flags, room - ELEMENT.size * place + len(body), len(key), len(value))
        body += key + value
    count = -(-(HEADER.size + room + len(body)) // PAGE)
    return (HEADER.pack(id, LEAF, len(items), count - 1) + heads + body).ljust(count * PAGE, b"\0")


def _meta(transaction: int, root: int, used: int) -> bytes:
    fields = struct.pack("<IIIIQQQQQ", MAGIC, VERSION, PAGE, 0, root, 0, 2, used, transaction)
    return (HEADER.pack(transaction, META, 0, 0) + fields + struct.pack("<Q", _fnv1a(fields))).ljust(PAGE, b"\0")


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 64 bits (RFC 9923)."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
