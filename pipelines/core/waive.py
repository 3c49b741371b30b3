"""Waive: waivers written into an image's spec, every other byte as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from reconciler.core.edit import Scalar, add_key, remove_key, set_scalar
from reconciler.core.load import load

_GATE = ("spec", "gate")
_WAIVERS = (*_GATE, "waivers")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A waiver to be written."""

    id: str
    owner: str
    reason: str
    until: date
    packages: tuple[str, ...] = ()
    """Empty for all that have it."""
    while_unfixed: bool = False


def waive(path: str, data: bytes, entries: Iterable[Entry]) -> bytes:
    """The spec with these waivers. One that is there for the same vulnerability is made this one. Raises NotEdited."""
    new = {one.id: one for one in sorted(entries)}
    spec = _at(load(path, data).value, ("spec",))
    if not new:
        return data
    written = {id: _value(one) for id, one in new.items()}
    if not isinstance(spec, Mapping) or "gate" not in spec:
        return add_key(path, data, ("spec",), "gate", {"waivers": written}, depth=2)
    if not isinstance(spec["gate"], Mapping) or "waivers" not in spec["gate"]:
        return add_key(path, data, _GATE, "waivers", written, depth=1)
    there = spec["gate"]["waivers"] or {}
    for id, one in new.items():
        data = _change(path, data, one, there[id]) if id in there else add_key(path, data, _WAIVERS, id, written[id])
    return data


def _value(one: Entry) -> dict[str, Any]:
    value: dict[str, Any] = {"owner": one.owner, "reason": one.reason, "until": one.until}
    if one.packages:
        value["packages"] = list(one.packages)
    if one.while_unfixed:
        value["while"] = "unfixed"
    return value


def _change(path: str, data: bytes, one: Entry, there: Mapping[str, Any]) -> bytes:
    """Key by key, so that what is written beside it stays."""
    pointer, wanted = (*_WAIVERS, one.id), _value(one)
    for key in ("packages", "while"):
        if key in there and there[key] != wanted.get(key):
            data = remove_key(path, data, (*pointer, key))
            there = {name: value for name, value in there.items() if name != key}
    for key, value in wanted.items():
        if key not in there:
            data = add_key(path, data, pointer, key, value)
        elif there[key] != value and str(there[key]) != str(value):
            scalar: Scalar = value
            data = set_scalar(path, data, (*pointer, key), scalar)
    return data


def _at(value: Any, pointer: tuple[str, ...]) -> Any:
    for part in pointer:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
