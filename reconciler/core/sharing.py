"""Sharing: one copy of what is equal among many JSON values. A thousand Deployments that one template wrote differ in a few lines each."""

from __future__ import annotations

from operator import is_
from typing import Any

import orjson


def grafted(new: Any, old: Any) -> Any:
    """`new` with the parts of `old` in place of those that are the same to the last letter: of two versions of one thing that is most."""
    if new is old or type(new) is not type(old):
        return new
    if type(new) is dict:
        parts: Any = {key: grafted(part, old[key]) if key in old else part for key, part in new.items()}
        return old if parts.keys() == old.keys() and all(part is old[key] for key, part in parts.items()) else parts
    if type(new) is list:
        parts = [grafted(part, old[at]) if at < len(old) else part for at, part in enumerate(new)]
        return old if len(parts) == len(old) and all(map(is_, parts, old)) else parts
    return old if new == old else new


class Sharing:
    """Keeps every part of the values that it has seen, for as long as it lives itself. The values must never be changed."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._parts: dict[int, Any] = {}
        """By the hash of how a part is written, in which 1, 1.0 and true are three things."""

    def __call__(self, value: Any) -> Any:
        """An equal value whose parts are those seen before, wherever they are equal to the last letter."""
        if type(value) is str:
            return self._texts.setdefault(value, value)
        if type(value) is not dict and type(value) is not list:
            return value
        try:
            mark = hash(orjson.dumps(value))
        except TypeError:  # a number of more than 64 bits, or text that is no UTF-8
            return value
        known = self._parts.get(mark)
        if known is not None and known == value:
            return known
        parts = {key: self(part) for key, part in value.items()} if type(value) is dict else [self(part) for part in value]
        self._parts[mark] = parts
        return parts
