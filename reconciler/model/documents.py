"""Documents: bytes of a source, and what the loader made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol

from reconciler.model.findings import Place, Pointer
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

FLEET_FILE = "fleet.yaml"
LOCK_FILE = "fleet.lock"


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a source at one revision: `fleet.yaml`, `fleet.lock`, `specs/**`, `policies/**`, by path from the root.

    `digests` holds a content digest (git's tree id) of each folder under `images/`. `refused` names entries that were not read
    (symlinks, submodules, names that cannot be), each with its reason.
    """

    revision: str
    dirty: bool
    files: Mapping[str, bytes]
    digests: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    edited: int = 0
    """How many files are not as committed, where git could tell; `dirty` also says so where it could not."""


class Marks(Protocol):
    """Positions in one YAML document; computed when first asked for."""

    def value(self, pointer: Pointer) -> tuple[int, int]:
        """Line and column (from 1) where the value at `pointer` begins; of its nearest parent where it does not exist."""

    def key(self, pointer: Pointer) -> tuple[int, int]:
        """Line and column (from 1) of the key that leads to `pointer`."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: who it says it is by its path, its plain value, and where everything stands."""

    ref: Ref
    path: str
    value: Mapping[str, Any]
    marks: Marks

    def place(self, pointer: Pointer = ()) -> Place:
        """Where the value at `pointer` stands."""
        return Place(self.path, *self.marks.value(pointer), pointer)

    def key_place(self, pointer: Pointer) -> Place:
        """Where the key that leads to `pointer` stands."""
        return Place(self.path, *self.marks.key(pointer), pointer)
