"""Difference: what one image has that another has not, by ecosystem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipelines.core.sbom.bom import Component
from pipelines.core.versions import compare
from pipelines.core.visible import visible


class Change(NamedTuple):
    """A package that is different: added where `before` is empty, removed where `after` is."""

    ecosystem: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def is_downgrade(self) -> bool:
        """One version took the place of a newer one."""
        return len(self.before) == len(self.after) == 1 and compare(self.ecosystem, self.after[0], self.before[0]) < 0


def difference(before: Iterable[Component], after: Iterable[Component]) -> tuple[Change, ...]:
    """Sorted by ecosystem and name. A package may be there in several versions."""
    old, new = _versions(before), _versions(after)
    return tuple(
        Change(*key, old.get(key, ()), new.get(key, ())) for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)
    )


def _versions(components: Iterable[Component]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], set[str]] = {}
    for one in components:
        found.setdefault((one.ecosystem, one.name), set()).add(one.version)
    return {key: tuple(sorted(versions)) for key, versions in found.items()}


def tell_difference(changes: Iterable[Change]) -> Iterator[str]:
    """`+ deb curl 7.88`, `- ...`, `~ pypi requests 2.19.0 -> 2.20.0`."""
    for one in changes:
        before, after = (", ".join(visible(version, 60) for version in versions) for versions in (one.before, one.after))
        sign = "~" if before and after else "+" if after else "-"
        step = f"{before} -> {after}{' (older)' if one.is_downgrade else ''}" if before and after else before or after
        yield f"{sign} {one.ecosystem} {visible(one.name, 100)} {step}"
