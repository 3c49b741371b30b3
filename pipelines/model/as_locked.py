"""As locked: images of which nothing is to be built, since the lock's current builds are of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.value import dataclass

if TYPE_CHECKING:
    from reconciler.model.lock import Build


class Locked(NamedTuple):
    """An image, what it starts from, and its build in the lock."""

    name: str
    start: str
    build: Build


@dataclass(frozen=True, slots=True)
class AsLocked:
    """All images that a command is about, in the order in which it tells them."""

    environment: str
    registry: str
    """Where they are published: `ghcr.io/acme`."""
    images: tuple[Locked, ...]
