"""Checks bytes that come or go in pieces against the descriptor that promised them."""

from __future__ import annotations

import hashlib

from pipelines.model.oci import Descriptor


class Tally:
    """Counts and hashes. `complaint` is for the end; `overflow` stops what promises 1 kB and sends 2 GB."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._wanted = descriptor
        self._hash = hashlib.new(descriptor.digest.partition(":")[0])
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Count it in."""
        self.size += len(piece)
        self._hash.update(piece)

    @property
    def overflow(self) -> bool:
        """Whether more came than was promised."""
        return self.size > self._wanted.size

    @property
    def complaint(self) -> str:
        """What is wrong with all that came; empty when it is what was promised."""
        if self.overflow:
            return f"more than the {self._wanted.size} bytes that it should have"
        if self.size != self._wanted.size:
            return f"{self.size} bytes instead of {self._wanted.size}"
        algorithm = self._wanted.digest.partition(":")[0]
        found = f"{algorithm}:{self._hash.hexdigest()}"
        return "" if found == self._wanted.digest else f"its digest is {found}"


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    """`sha256:<hex>` of bytes as they are."""
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
