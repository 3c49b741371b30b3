"""References: the identity of a spec, and one spec's mention of another."""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """Identity of a spec, told by its path: `specs/services/platform/web.yaml` is `Service/platform/web`.

    `tenant` is empty for kinds that belong to the whole fleet.
    """

    kind: str
    name: str
    tenant: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.tenant}/{self.name}" if self.tenant else f"{self.kind}/{self.name}"

    @property
    def short(self) -> str:
        """Name as people write it in a spec: `web`, or `platform/web` where a tenant owns it."""
        return f"{self.tenant}/{self.name}" if self.tenant else self.name


FLEET = Ref("Fleet", "fleet")
"""`fleet.yaml` itself, as the subject of findings."""


class Link(NamedTuple):
    """A mention of `name` (`web` or `platform/web`) of `kind` at `pointer` in the spec that makes it.

    `ordered` links make the graph's order and may not go in a circle.
    """

    kind: str
    name: str
    pointer: tuple[str | int, ...]
    ordered: bool = True
