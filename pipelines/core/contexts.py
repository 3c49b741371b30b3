"""Contexts: which files of the repository an image's build sees, and where."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipelines.model.recipe import File, Files, Target
from reconciler.ports import Packed


def folders(all: Collection[Target]) -> frozenset[str]:
    """Every folder of the repository that some build sees."""
    return frozenset(folder for target in all if target.context is not None for folder in (target.context, *target.shared))


def contexts(all: Collection[Target], files: Mapping[str, Packed]) -> dict[str, Files]:
    """The files of each target by its name. A shared folder stands in the context under its last name; the context's own files win."""
    by_folder: dict[str, dict[str, File]] = {folder: {} for folder in folders(all)}
    for path, packed in files.items():
        head = path
        while (head := head.rpartition("/")[0]) != "":
            if head in by_folder:
                by_folder[head][path[len(head) + 1 :]] = File(packed.mode, packed.data)
    return {target.name: _merged(target, by_folder) for target in all if target.context is not None}


def _merged(target: Target, by_folder: Mapping[str, Mapping[str, File]]) -> Files:
    merged: dict[str, File] = {}
    for folder in target.shared:
        last = folder.rpartition("/")[2]
        merged |= {f"{last}/{path}": file for path, file in by_folder[folder].items()}
    return {**merged, **by_folder[target.context or ""]}
