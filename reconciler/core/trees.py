"""Tree ids: the digest that git gives to a folder, computed from what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

Algorithm = Literal["sha1", "sha256"]
"""What a repository names its objects by (gitformat-objects; `extensions.objectFormat`)."""

FILE = 0o100644
EXECUTABLE = 0o100755
LINK = 0o120000
SUBMODULE = 0o160000
TREE = 0o040000


class Leaf(NamedTuple):
    """What is not a folder: its mode as git stores it, and the id of its bytes."""

    mode: int
    id: str


def algorithm(id: str) -> Algorithm:
    """Which algorithm made this id."""
    return "sha256" if len(id) == 64 else "sha1"


def object_id(kind: Literal["blob", "tree"], data: bytes, by: Algorithm = "sha1") -> str:
    """The id of an object (Pro Git, 10.2): the hash of its kind, its size and its bytes."""
    return hashlib.new(by, b"%s %d\0%s" % (kind.encode(), len(data), data), usedforsecurity=False).hexdigest()


def tree_ids(leaves: Mapping[str, Leaf], by: Algorithm = "sha1") -> dict[str, str]:
    """The tree id of every folder that holds one of `leaves` (by path), without the root and its folders."""
    folders: dict[str, list[tuple[str, Leaf]]] = {}
    for path, leaf in leaves.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append((name, leaf))
        while folder and folder.rpartition("/")[0] not in folders:
            folder = folder.rpartition("/")[0]
            folders[folder] = []
    ids: dict[str, str] = {}
    for folder in sorted((name for name in folders if name), key=lambda name: -name.count("/")):
        ids[folder] = _tree_id(folders[folder], by)
        parent, _, name = folder.rpartition("/")
        if parent:
            folders[parent].append((name, Leaf(TREE, ids[folder])))
    return {folder: tree for folder, tree in ids.items() if "/" in folder}


def _tree_id(entries: list[tuple[str, Leaf]], by: Algorithm) -> str:
    """Git sorts by name as bytes, folders as if their name ended in a slash."""
    lines = sorted((name.encode(errors="surrogateescape") + (b"/" if leaf.mode == TREE else b""), leaf) for name, leaf in entries)
    data = b"".join(b"%o %s\0%s" % (leaf.mode, name.removesuffix(b"/"), bytes.fromhex(leaf.id)) for name, leaf in lines)
    return object_id("tree", data, by)
